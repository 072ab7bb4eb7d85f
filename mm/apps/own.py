"""Strategies of one's own: found beside the config, in the working directory or installed.

A config names `module:Class`. The module is imported here, and the SHA-256 of its file becomes
part of the settings: what a session decided can only be computed again with that very source.
"""

import difflib
import hashlib
import importlib
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec

from mm.engine.own import own
from mm.engine.settings import PythonSettings, StrategySettings
from mm.errors import ConfigError, SessionError

SPELLED: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def loaded(
    strategies: Mapping[str, StrategySettings], beside: Path | None = None
) -> dict[str, StrategySettings]:
    """Import what the settings name; each with the fingerprint of its source.

    Raises `ConfigError` for what cannot be used, and `SessionError` where a fingerprint that was
    recorded is not that of the source there is.
    """
    return {
        name: _loaded(f"strategies.{name}", chosen, beside)
        if isinstance(chosen, PythonSettings)
        else chosen
        for name, chosen in strategies.items()
    }


def _loaded(where: str, chosen: PythonSettings, beside: Path | None) -> PythonSettings:
    spelled = chosen.class_
    if not SPELLED.fullmatch(spelled):
        raise ConfigError(
            f"{spelled!r} names no class", where=f"{where}.class", remedy="write module:Class"
        )
    _reach(filter(None, (beside, Path.cwd())))
    module = _imported(where, spelled)
    name = spelled.partition(":")[2]
    if not hasattr(module, name):
        classes = [each for each, value in vars(module).items() if isinstance(value, type)]
        near = difflib.get_close_matches(name, classes, n=1)
        raise ConfigError(
            f"{module.__file__} has no class {name}" + (f"; meant {near[0]}?" if near else ""),
            where=f"{where}.class",
            remedy="define it there, or write another module:Class",
        )
    found = _fingerprint(where, spelled, module)
    if chosen.fingerprint not in ("", found):
        raise SessionError(
            f"{spelled} is not what it was: its source has changed",
            where=f"{where}, {module.__file__}",
            remedy=f"bring back the source whose SHA-256 is {chosen.fingerprint}",
        )
    own(where, spelled, chosen.parameters)
    return msgspec.structs.replace(chosen, fingerprint=found)


def _reach(places: Iterable[Path]) -> None:
    """Modules are looked for there too, after all that is installed."""
    for place in places:
        if str(place) not in sys.path:
            sys.path.append(str(place))


def _imported(where: str, spelled: str) -> ModuleType:
    name = spelled.partition(":")[0]
    importlib.invalidate_caches()  # The file may be a moment old.
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _broken(where, spelled, error) from error
        raise ConfigError(
            f"there is no module {name}, which {spelled} is a class of",
            where=f"{where}.class",
            remedy="put it beside the config, start in its directory, or install it",
        ) from error
    except Exception as error:
        raise _broken(where, spelled, error) from error


def _broken(where: str, spelled: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"the module of {spelled} cannot be imported: {type(error).__name__}: {error}",
        where=f"{where}.class",
        remedy="correct the module",
    )


def _fingerprint(where: str, spelled: str, module: ModuleType) -> str:
    """SHA-256 of the module's file."""
    try:
        return hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"the source of {spelled} cannot be read: {error.strerror}",
            where=f"{where}.class",
            remedy="a strategy is a file of Python",
        ) from error
