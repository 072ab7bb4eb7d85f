"""A strategy of one's own: the class that a config names, made of the parameters beside it.

The class is taken from the modules that are imported already; whoever reads a config imports them
(`mm.apps.own`), so that nothing is looked for in here.
"""

import sys
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mm.errors import ConfigError
from mm.strategy.base import Strategy, Wakes

MEMBERS: Final = ("wakes", "rule", "initial", "decide")
REMEDY: Final = "see mm/strategy/base.py, and the example in docs/config.md"


def own(where: str, spelled: str, parameters: Mapping[str, Any]) -> Strategy:
    """The strategy `module:Class` with these parameters; raises `ConfigError` naming both."""
    found = class_of(where, spelled)
    fields = [each.encode_name for each in msgspec.structs.fields(found)]
    unknown = sorted(parameters.keys() - set(fields))
    if unknown:
        raise ConfigError(
            f"{spelled} has no parameter {unknown[0]!r}",
            where=f"{where}.parameters.{unknown[0]}",
            remedy=f"it has {', '.join(fields) or 'none'}",
        )
    try:
        strategy: Any = msgspec.convert(dict(parameters), found, strict=False)
        wakes, memory = strategy.wakes, strategy.initial()
        msgspec.msgpack.encode(memory)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{spelled} does not take these parameters: {error}",
            where=f"{where}.parameters",
            remedy="correct the parameters",
        ) from error
    except Exception as error:
        raise ConfigError(
            f"{spelled} raises before it is ever asked: {type(error).__name__}: {error}",
            where=f"{where}.class",
            remedy="correct its constructor, `wakes` or `initial`; a memory is plain values",
        ) from error
    if not isinstance(wakes, Wakes):
        raise _no_strategy(where, spelled, f"its wakes are {type(wakes).__name__}, not Wakes")
    made: Strategy = strategy
    return made


def class_of(where: str, spelled: str) -> type[msgspec.Struct]:
    """The class, which is a frozen struct with all that a strategy has; raises `ConfigError`."""
    module, _, name = spelled.partition(":")
    found = getattr(sys.modules.get(module), name, None)
    if found is None:
        raise ConfigError(
            f"there is no class {spelled}",
            where=f"{where}.class",
            remedy=f"define {name or 'a class'} in {module}, or write another module:Class",
        )
    struct = isinstance(found, type) and issubclass(found, msgspec.Struct)
    if not struct or not found.__struct_config__.frozen:
        raise _no_strategy(where, spelled, "it is no msgspec.Struct with frozen=True")
    missing = [each for each in MEMBERS if not hasattr(found, each)]
    if missing:
        raise _no_strategy(where, spelled, f"it has no {' and no '.join(missing)}")
    kind: type[msgspec.Struct] = found
    return kind


def _no_strategy(where: str, spelled: str, why: str) -> ConfigError:
    return ConfigError(f"{spelled} is no strategy: {why}", where=f"{where}.class", remedy=REMEDY)
