"""Settings read from the log and changed by a person's recorded command.

Both ends use these functions: the edge, to refuse a bad value before it is logged, and the engine,
to adopt it when it is.
"""

from typing import Any, Final

import msgspec

from mm.engine.settings import EngineSettings, decode_hook, encode_hook, validate
from mm.errors import ConfigError

FIXED: Final = ("kind", "instrument", "wallet", "class", "parameters", "fingerprint")
"""Fields that make another desk of it: they change with the session, not within it."""
_REMEDY: Final = "correct the value"


def settings_in(config: str) -> EngineSettings:
    """The engine's part of a session's recorded configuration; raises `ConfigError`."""
    try:
        whole = msgspec.json.decode(config, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ConfigError(str(error), where="SessionStarted.config", remedy=_REMEDY) from error
    settings = convert({key: whole.get(key, {}) for key in ("strategies", "limits")})
    validate(settings)
    return settings


def convert(plain: Any) -> EngineSettings:
    """Plain values as settings; raises `ConfigError` naming the field."""
    try:
        return msgspec.convert(plain, EngineSettings, dec_hook=decode_hook, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error), where="engine settings", remedy=_REMEDY) from error


def changed(settings: EngineSettings, name: str, new: str) -> EngineSettings:
    """The settings with one field changed, `strategies.maker.half_spread_bps` say."""
    plain = msgspec.to_builtins(settings, enc_hook=encode_hook)
    section, key, field = _split(name)
    known = plain.get(section, {}).get(key, {})
    if field not in known or field in FIXED:
        raise ConfigError(
            f"there is no parameter {name} that can change within a session",
            where=name,
            remedy="write strategies.NAME.FIELD or limits.VENUE:SYMBOL.FIELD",
        )
    known[field] = new
    after = convert(plain)
    validate(after)
    return after


def _split(name: str) -> tuple[str, str, str]:
    section, _, rest = name.partition(".")
    key, _, field = rest.rpartition(".")
    return section, key, field
