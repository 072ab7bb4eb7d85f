"""Changes to a session's configuration: `strategies.maker.half_spread_bps=12`, one key each.

A key is one that the configuration has or may have, quoted where a name holds a dot; `strategy.…`
stands for the only strategy there is. A value is written as in TOML, text without quotes too. What
has no part in a replay cannot be changed: the feed, the log, the desk.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from mm.apps import config as configs
from mm.apps.config import Config
from mm.apps.overrides import is_table, keys_in, variables_of
from mm.errors import ConfigError

PLAYED: Final = ("strategies", "limits", "paper")
"""Tables of a config that a replay depends on."""
LATENCIES: Final = (
    *("latency", "entry", "response", "place", "amend", "cancel"),
    *("entry_sample", "response_sample", "measured"),
)
ONE: Final = "strategy"
WHERE: Final = "--set"
_WORD: Final = re.compile(r'"[^"]*"|[^.]+')


class Change(msgspec.Struct, frozen=True):
    """One key, with its value before and after, as JSON has them."""

    key: str
    old: Any
    new: Any

    @property
    def words(self) -> str:
        """What was changed, to be read."""
        return f"{self.key}: {_said(self.old)} -> {_said(self.new)}"


def recorded(text: str, where: str) -> Config:
    """A session's configuration as it stands on the log; raises `ConfigError`."""
    return configs.build(_plain(text), {}, {}, where=where)


def changed(config: Config, settings: Sequence[str]) -> tuple[Config, tuple[Change, ...]]:
    """The configuration with each `key=value` applied in turn; raises `ConfigError`."""
    before = _plain(config.as_json())
    values = _plain(config.as_json())
    paths = [_set(values, setting) for setting in settings]
    after = configs.build(values, {}, {}, where=WHERE)
    plain = _plain(after.as_json())
    return after, tuple(
        Change(".".join(path), _at(before, path), _at(plain, path))
        for path in dict.fromkeys(map(tuple, paths))
    )


def touches_latency(changes: Sequence[Change]) -> bool:
    """Whether how far away the venue stands is among what was changed."""
    return any(each.key.removeprefix("paper.") in LATENCIES for each in changes)


def _plain(text: str) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(text)
    return plain


def _set(values: dict[str, Any], setting: str) -> list[str]:
    """Put a value in its place; returns the path to it."""
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"{setting!r} changes nothing: it is no key=value",
            where=WHERE,
            remedy="write --set strategies.NAME.half_spread_bps=12",
        )
    path = _path(key.strip(), values)
    kind: Any = Config
    table = values
    for depth, word in enumerate(path):
        known = keys_in(kind, table)
        if word not in known:
            raise _unknown(key, values)
        kind = known[word]
        if depth == len(path) - 1:
            break
        inner = table.get(word)
        if inner is None and is_table(kind):
            inner = table[word] = {}
        if not isinstance(inner, dict):
            raise _unknown(key, values)
        table = inner
    if isinstance(table.get(path[-1]), dict):
        raise ConfigError(
            f"{'.'.join(path)} is a table, not one of its keys",
            where=WHERE,
            remedy=f"name a key of it: {', '.join(keys_in(kind, table[path[-1]]))}",
        )
    table[path[-1]] = _value(text.strip())
    return path


def _path(key: str, values: Mapping[str, Any]) -> list[str]:
    """The words of a key, `strategy` made the name of the only one; raises `ConfigError`."""
    path = [word.strip().strip('"') for word in _WORD.findall(key)]
    names = list(values.get("strategies", {}))
    if path[:1] == [ONE]:
        if len(names) != 1:
            raise ConfigError(
                f"{key} may mean any of the strategies {', '.join(names)}",
                where=WHERE,
                remedy=f"write strategies.{names[0] if names else 'NAME'}.{'.'.join(path[1:])}",
            )
        path = ["strategies", names[0], *path[1:]]
    if path[:1] and path[0] in Config.__struct_fields__ and path[0] not in PLAYED:
        raise ConfigError(
            f"{key} has no part in a replay of a session",
            where=WHERE,
            remedy=f"what can be changed is under {', '.join(PLAYED)}",
        )
    return path


def _unknown(key: str, values: Mapping[str, Any]) -> ConfigError:
    known = [
        dotted
        for _, dotted in variables_of(Config, values, "", "")
        if dotted.partition(".")[0] in PLAYED
    ]
    wanted = re.sub(rf"^{ONE}\.", "strategies.", key)
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0)
    return ConfigError(
        f"there is no key {key}; the nearest is {near[0] if near else 'none'}",
        where=WHERE,
        remedy="correct it; docs/config.md lists every key",
    )


def _value(text: str) -> Any:
    """A value as TOML has it, or else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _at(values: Any, path: Sequence[str]) -> Any:
    for word in path:
        values = values.get(word) if isinstance(values, dict) else None
    return values


def _said(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
