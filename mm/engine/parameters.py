"""Settings read from the log and changed by a person's recorded command.

Both ends use these functions: the edge, to refuse a bad value before it is logged, and the engine,
to adopt it when it is.
"""

from typing import Any

import msgspec

from mm.engine.settings import EngineSettings, decode_hook, encode_hook, validate
from mm.errors import ConfigError


def settings_in(config: str) -> EngineSettings:
    """The engine's part of a session's recorded configuration."""
    whole = msgspec.json.decode(config)
    part = {key: whole.get(key, {}) for key in ("strategies", "limits")}
    return convert(part)


def convert(plain: Any) -> EngineSettings:
    """Plain values as settings; raises `ConfigError` naming the field."""
    try:
        return msgspec.convert(plain, EngineSettings, dec_hook=decode_hook, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(
            str(error), where="engine settings", remedy="correct the value"
        ) from error


def changed(settings: EngineSettings, name: str, new: str) -> EngineSettings:
    """The settings with one field changed, `strategies.maker.half_spread_bps` say."""
    plain = msgspec.to_builtins(settings, enc_hook=encode_hook)
    section, key, field = _split(name)
    known = plain.get(section, {}).get(key, {})
    if field not in known:
        raise ConfigError(
            f"there is no parameter {name}",
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
