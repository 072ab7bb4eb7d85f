"""Plain values become structs, or one error that says what is wrong with which of them.

What msgspec says is kept; an unknown key or kind gets the nearest known one beside it. Numbers may
be written as text, since that is how a variable holds them.
"""

import difflib
import re
from typing import Any, Final, get_args

import msgspec

from mm.engine.settings import decode_hook
from mm.errors import ConfigError

_REMEDY: Final = "correct the config; docs/config.md lists every key with its unit"
_UNKNOWN: Final = re.compile(r"unknown field `([^`]+)`")
_NO_KIND: Final = re.compile(r"Invalid value '([^']+)' - at `[^`]*\.kind`")


def typed(values: dict[str, Any], kind: Any, where: str) -> Any:
    """The struct of some kind that the values say; raises `ConfigError`."""
    try:
        return msgspec.convert(values, kind, dec_hook=decode_hook, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(str(error), kind), where=where, remedy=_REMEDY) from error


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
