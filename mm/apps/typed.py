"""Plain values become structs, or one error that says what is wrong with which of them.

What msgspec says is kept; an unknown key or kind gets the nearest known one beside it, and a table
of names of one's own is told by its name. Numbers may be written as text, since that is how a
variable holds them.
"""

import difflib
import re
from typing import Any, Final, get_args, get_origin

import msgspec

from mm.engine.settings import decode_hook
from mm.errors import ConfigError

_REMEDY: Final = "correct the config; docs/config.md lists every key with its unit"
_AT: Final = re.compile(r"at `(\$[^`]*)`")
_BARE: Final = re.compile(r"[\w-]+")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]+)`")
_NO_KIND: Final = re.compile(r"Invalid value '([^']+)' - at `[^`]*\.kind`")


def typed(values: dict[str, Any], kind: Any) -> Any:
    """The struct of some kind that the values say; raises `ConfigError`, `where` is the key."""
    try:
        return _converted(values, kind)
    except msgspec.ValidationError as error:
        message = _named(str(error), values, kind)
        at = _AT.search(message)
        key = at[1].removeprefix("$").removeprefix(".") if at else ""
        raise ConfigError(_explained(message, kind), where=key, remedy=_REMEDY) from error


def _converted(values: Any, kind: Any) -> Any:
    return msgspec.convert(values, kind, dec_hook=decode_hook, strict=False)


def _named(message: str, values: Any, kind: Any) -> str:
    """The name in a table of names of one's own, where msgspec says `[...]`."""
    at = _AT.search(message)
    path = at[1].partition("[...]")[0] if at and "[...]" in at[1] else ""
    for key in path.split(".")[1:]:
        kind = {each.name: each.type for each in msgspec.structs.fields(kind)}[key]
        values = values[key]
    tables = [each for each in (kind, *get_args(kind)) if get_origin(each) is dict]
    if not path or not tables:
        return message
    wrong = next(name for name in values if not _right(values[name], get_args(tables[0])[1]))
    quoted = wrong if _BARE.fullmatch(wrong) else f'"{wrong}"'
    return message.replace(f"{path}[...]", f"{path}.{quoted}")


def _right(values: Any, kind: Any) -> bool:
    try:
        _converted(values, kind)
    except msgspec.ValidationError:
        return False
    return True


def _explained(message: str, kind: Any) -> str:
    """An unknown key or kind gets the nearest known one beside it."""
    structs = _structs(kind)
    for pattern, known in (
        (_UNKNOWN, {field.name for each in structs for field in msgspec.structs.fields(each)}),
        (_NO_KIND, {str(each.__struct_config__.tag) for each in structs}),
    ):
        match = pattern.search(message)
        near = difflib.get_close_matches(match[1], sorted(known), n=1) if match else []
        if near:
            return f"{message}; did you mean `{near[0]}`?"
    return message


def _structs(kind: Any) -> list[type[msgspec.Struct]]:
    """Every struct in a tree of them."""
    found: list[type[msgspec.Struct]] = []
    for inner in (kind, *get_args(kind)):
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            found.append(inner)
            for field in msgspec.structs.fields(inner):
                found += _structs(field.type)
        elif inner is not kind:
            found += _structs(inner)
    return found
