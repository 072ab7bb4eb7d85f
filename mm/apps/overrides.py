"""`MM_…` variables: which key of a config each one means, and the value it puts there.

Two underscores stand for each dot of a key. A word means the key that reads the same without case
and with `_` for each character that a variable's name cannot hold. A table of plain values under
names of one's own (`paper.balances`) takes new names as they are written; a strategy or the limits
of an instrument have to be in the file. A variable that means no key is refused.
"""

import difflib
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from mm.errors import ConfigError

PREFIX: Final = "MM_"
RESERVED: Final = frozenset(
    [
        *("MM_RECORDINGS", "MM_DATA", "MM_SESSION", "MM_CACHE"),
        *("MM_RESOLVE", "MM_CA_FILE"),
    ]
)
KEYS: Final = re.compile(r"MM_[A-Z0-9]+(_[A-Z0-9]+)*_(KEY|SECRET|PASSPHRASE)")
"""Keys to venues: secrets, and no part of a config."""
DOT: Final = "__"
AND: Final = " and "
"""Between the keys that an error is about."""
WHERE: Final = "the environment"
REMEDY: Final = "correct the variable's name, or unset it; docs/config.md lists every key"
Table = dict[str, Any]


def overridden(
    plain: Table, environment: Mapping[str, str], kind: Any
) -> tuple[Table, dict[str, str]]:
    """A copy of a config's plain values with the environment's, and each variable with its key.

    `kind` is the struct that the values will become; raises `ConfigError` naming the variable.
    """
    values = _copied(plain)
    variables: dict[str, str] = {}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in RESERVED and not KEYS.fullmatch(name):
            variable = Variable(name, values, kind)
            table, key = variable.place()
            table[key] = environment[name]
            variables[name] = variable.key
    return values, variables


def source(keys: str, file: str, variables: Mapping[str, str]) -> str:
    """Where keys (joined by `AND`) have their values from: the file, and variables that set any."""
    wanted = {key.replace('"', "") for key in keys.split(AND)}
    names = [name for name, key in variables.items() if key in wanted]
    found = f"{file}, {keys}" if keys else file
    return f"{found}, overridden by {', '.join(names)}" if names else found


def _copied(value: Any) -> Any:
    """Tables of its own for every place: YAML may have one object in two."""
    return {key: _copied(each) for key, each in value.items()} if isinstance(value, dict) else value


class Variable:
    """One variable, and the config that it is to change."""

    def __init__(self, name: str, values: Table, kind: Any) -> None:
        """Nothing is changed but by `place`."""
        self._name = name
        self._values = values
        self._kind = kind
        self._path: list[str] = []

    @property
    def key(self) -> str:
        """The dotted key that it means, once it has a place."""
        return self._dotted()

    def place(self) -> tuple[Table, str]:
        """The table, made where the file has none, and the key in it; raises `ConfigError`."""
        *tables, last = self._name.removeprefix(PREFIX).split(DOT)
        table, kind = self._values, self._kind
        for word in tables:
            key, kind = self._meant(word, table, kind)
            inner = table.setdefault(key, {}) if is_table(kind) else None
            if not isinstance(inner, dict):
                raise self._refused(f": {self._dotted()} holds a value, not a table")
            table = inner
        key, kind = self._meant(last, table, kind)
        if is_table(kind):
            raise self._refused(f" sets a table, {self._dotted()}, not one of its keys")
        return table, key

    def _meant(self, word: str, table: Table, kind: Any) -> tuple[str, Any]:
        """The key of a table that a word means, and what it holds."""
        known = keys_in(kind, table)
        found = [key for key in known if _plain(key) == _plain(word)]
        found = [word] if word in found else found
        if len(found) > 1:
            both = " or ".join(".".join([*self._path, key]) for key in found)
            raise self._refused(f" may mean {both}; written as there it means that one")
        if not found:
            free = new_value(kind)
            if free is None or not word:
                raise self._unknown()
            found, known = [word], {word: free}
        self._path.append(found[0])
        return found[0], known[found[0]]

    def _dotted(self) -> str:
        return ".".join(self._path)

    def _unknown(self) -> ConfigError:
        names = dict(variables_of(self._kind, self._values, PREFIX, ""))
        (near,) = difflib.get_close_matches(self._name.upper(), names, n=1, cutoff=0)
        return self._refused(f" sets no key; the nearest is {near} ({names[near]})")

    def _refused(self, what: str) -> ConfigError:
        return ConfigError(f"{self._name}{what}", where=WHERE, remedy=REMEDY)


def variables_of(kind: Any, table: Any, prefix: str, path: str) -> Iterator[tuple[str, str]]:
    """Every variable that a config can have, with the dotted key that it sets."""
    values = table if isinstance(table, dict) else {}
    for key, inner in keys_in(kind, values).items():
        name = f"{prefix}{_plain(key).upper()}"
        if is_table(inner):
            yield from variables_of(inner, values.get(key), f"{name}{DOT}", f"{path}{key}.")
        else:
            yield name, f"{path}{key}"


def keys_in(kind: Any, table: Table) -> dict[str, Any]:
    """The keys that a table has or may have, with the type of what each holds."""
    known: dict[str, Any] = {}
    for arm in _chosen(_arms(kind), table):
        if get_origin(arm) is dict:
            known |= dict.fromkeys(table, get_args(arm)[1])
        elif _is_struct(arm):
            known |= {each.encode_name: each.type for each in msgspec.structs.fields(arm)}
            if _tag(arm):
                known[_tag_field(arm)] = str
    return known


def _chosen(arms: tuple[Any, ...], table: Table) -> tuple[Any, ...]:
    """The struct that the table names, else all it may be."""
    named = [
        arm
        for arm in arms
        if _is_struct(arm) and _tag(arm) and _tag(arm) == table.get(_tag_field(arm))
    ]
    return tuple(named) or arms


def new_value(kind: Any) -> Any:
    """What a name that is not in the file yet may hold; None where there can be no new one."""
    values = [get_args(arm)[1] for arm in _arms(kind) if get_origin(arm) is dict]
    return values[0] if values and not is_table(values[0]) else None


def is_table(kind: Any) -> bool:
    """Whether a value of this type has keys."""
    return any(_is_struct(arm) or get_origin(arm) is dict for arm in _arms(kind))


def _arms(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _tag(struct: Any) -> Any:
    return struct.__struct_config__.tag


def _tag_field(struct: Any) -> Any:
    return struct.__struct_config__.tag_field


def _plain(word: str) -> str:
    """What is compared: no case, and `_` for all that is neither letter nor digit."""
    return re.sub(r"[^a-z0-9]", "_", word.lower())
