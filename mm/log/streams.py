"""The JetStream streams, as `streams.yaml` declares them and as a server really has them.

The file is the only place where a stream's settings are written down. `ensure` creates what is
missing and compares what exists with the server's own answer, field by field, including the fields
the file leaves at their default. A difference is shown and refused, never silently changed: a
stream that expires or overwrites turns is no log. The server's answer is read as raw JSON, so that
a setting this version has never heard of is seen too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import ascii_letters
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from mm.errors import (
    ConfigError,
    DiskTooSmall,
    JetStreamDisabled,
    LogError,
    LogUnavailable,
    StreamMismatch,
)

if TYPE_CHECKING:
    from nats.aio.client import Client

REQUEST_SECONDS_MAX: Final = 5.0
DESK: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
SIZES: Final = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
SECOND: Final = 10**9
TIMES: Final = {"ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86400 * SECOND}
UNITS: Final = {"max_bytes": SIZES, "max_msg_size": SIZES, "max_age": TIMES,
                "duplicate_window": TIMES}  # fmt: skip
OURS: Final = frozenset({"alarm_at"})  # Fields of the file that the server never sees.
NOT_FOUND: Final = 10059
NAME_IN_USE: Final = 10058
TOO_LITTLE_ROOM: Final = frozenset({10047, 10028, 10023})
DISABLED: Final = frozenset({10039, 10076})

Amount = Annotated[str, msgspec.Meta(pattern=r"^\d+ ?[A-Za-z]*$")]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stream, or the part of one, that the server copies from."""

    name: str
    filter_subject: str = ""


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stream as the file writes it: amounts have units, and the desk is yet to be filled in."""

    name: str
    subjects: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    retention: Literal["limits", "interest", "workqueue"] = "limits"
    storage: Literal["file", "memory"] = "file"
    compression: Literal["none", "s2"] = "none"
    discard: Literal["old", "new"] = "old"
    num_replicas: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    max_msgs: int = -1
    max_msgs_per_subject: int = -1
    max_consumers: int = -1
    max_bytes: int | Amount = -1
    max_msg_size: int | Amount = -1
    max_age: int | Amount = 0
    duplicate_window: int | Amount = 0
    allow_direct: bool = False
    deny_delete: bool = False
    deny_purge: bool = False
    alarm_at: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of one desk: what the server must be asked for, in its own vocabulary."""

    name: str
    config: Mapping[str, Any]
    alarm_bytes: int


class Streams(msgspec.Struct, frozen=True, kw_only=True):
    """The streams of one desk."""

    desk: str
    session: Stream
    orders: Stream

    @property
    def market_subject(self) -> str:
        """The subject of turns that carry market data only."""
        return str(self.session.config["subjects"][0])

    @property
    def orders_subject(self) -> str:
        """The subject of turns that touch orders or control."""
        return str(self.session.config["subjects"][1])


class Difference(msgspec.Struct, frozen=True):
    """One setting that is not what the file says."""

    stream: str
    field: str
    wanted: object
    found: object

    def __str__(self) -> str:
        """Render as `stream.field: wanted …, found …`."""
        return f"{self.stream}.{self.field}: wanted {self.wanted!r}, found {self.found!r}"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How full a stream is."""

    stream: str
    messages: int
    bytes: int
    bytes_max: int
    alarm: bool


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: Template
    orders: Template


def default_path() -> Path:
    """Find the file: beside the package when installed, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "streams.yaml"
    return installed if installed.exists() else package.parent / "streams.yaml"


def load(desk: str, path: Path | None = None) -> Streams:
    """Read the file and fill in the desk."""
    path = path or default_path()
    if not DESK.fullmatch(desk) or desk.endswith("_orders"):
        raise ConfigError(
            f"{desk!r} cannot name a desk",
            remedy="use 1 to 48 of a-z, 0-9, _ and -, beginning with a letter or digit and "
            "not ending in _orders",
        )
    file = _read(path)
    session, orders = (_filled(template, desk, path) for template in (file.session, file.orders))
    _check_subjects(session, orders, path)
    return Streams(desk=desk, session=session, orders=orders)


def _read(path: Path) -> _File:
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"the stream declarations cannot be read: {error}",
            where=str(path),
            remedy="repair the file, or reinstall mm",
        ) from error


def _filled(template: Template, desk: str, path: Path) -> Stream:
    config = msgspec.to_builtins(template)
    for name, units in UNITS.items():
        config[name] = _amount(config[name], units, f"{path}: {template.name}.{name}")
    config = {name: _named(value, desk) for name, value in config.items() if name not in OURS}
    bytes_max = config["max_bytes"]
    alarm = int(bytes_max * template.alarm_at) if bytes_max > 0 else -1
    return Stream(name=config["name"], config=config, alarm_bytes=alarm)


def _amount(value: int | str, units: Mapping[str, int], where: str) -> int:
    if isinstance(value, int):
        return value
    number = value.rstrip(ascii_letters)
    unit = value[len(number) :]
    if unit not in units:
        raise ConfigError(
            f"{value!r} has no unit we know",
            where=where,
            remedy=f"write a whole number and one of {', '.join(filter(None, units))}",
        )
    return int(number) * units[unit]


def _named(value: Any, desk: str) -> Any:
    match value:
        case str():
            return value.replace("{desk}", desk)
        case list() | tuple():
            return [_named(item, desk) for item in value]
        case dict():
            return {key: _named(item, desk) for key, item in value.items() if item != ""}
        case _:
            return value


def _check_subjects(session: Stream, orders: Stream, path: Path) -> None:
    subjects, sources = session.config["subjects"], orders.config["sources"]
    source = {"name": session.name, "filter_subject": subjects[-1]} if subjects else None
    if len(subjects) != 2 or sources != [source]:  # noqa: PLR2004  Market and orders.
        raise ConfigError(
            "the session needs a market and an orders subject, and orders must source the second",
            where=str(path),
            remedy="restore the file that came with mm",
        )


async def ensure(nc: Client, streams: Streams) -> None:
    """Create the streams that are missing; refuse to go on with one that differs."""
    differences: list[Difference] = []
    for stream in (streams.session, streams.orders):
        found = await _config(nc, stream) or await _create(nc, stream)
        differences += compare(stream, found)
    if differences:
        raise StreamMismatch(
            f"{len(differences)} stream settings are not those declared: "
            + "; ".join(map(str, differences)),
            where=str(default_path()),
            remedy="change the server's stream or the file so that they agree; "
            "mm never changes a stream that holds turns",
        )


def compare(stream: Stream, found: Mapping[str, Any]) -> list[Difference]:
    """List what differs; a setting the file does not know must be off."""
    wanted = stream.config
    return [
        Difference(stream.name, field, wanted.get(field), _plain(found.get(field)))
        for field in sorted(wanted.keys() | found.keys())
        if _plain(found.get(field)) != _plain(wanted.get(field))
    ]


def _plain(value: object) -> object:
    """Absent, empty and off mean the same; the server's notes to itself are not settings."""
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if not key.startswith("_nats.")}
    return value or None


async def usage(nc: Client, streams: Streams) -> list[Usage]:
    """Tell how full the streams are, and whether that calls for an alarm."""
    return [await _usage(nc, stream) for stream in (streams.session, streams.orders)]


async def _usage(nc: Client, stream: Stream) -> Usage:
    state = (await _api(nc, f"STREAM.INFO.{stream.name}", {}, stream.name))["state"]
    return Usage(
        stream=stream.name,
        messages=state["messages"],
        bytes=state["bytes"],
        bytes_max=stream.config["max_bytes"],
        alarm=0 <= stream.alarm_bytes <= state["bytes"],
    )


async def _config(nc: Client, stream: Stream) -> dict[str, Any] | None:
    reply = await _api(nc, f"STREAM.INFO.{stream.name}", {}, stream.name, allowed=NOT_FOUND)
    return reply.get("config")


async def _create(nc: Client, stream: Stream) -> dict[str, Any]:
    reply = await _api(
        nc, f"STREAM.CREATE.{stream.name}", stream.config, stream.name, allowed=NAME_IN_USE
    )
    found = reply.get("config") or await _config(nc, stream)  # Someone else was faster.
    assert found is not None, f"{stream.name} was there and is gone"
    return found


async def _api(
    nc: Client, verb: str, body: Mapping[str, Any], where: str, allowed: int = 0
) -> dict[str, Any]:
    try:
        message = await nc.request(
            f"$JS.API.{verb}", msgspec.json.encode(body), timeout=REQUEST_SECONDS_MAX
        )
    except NoRespondersError:
        raise _disabled(where) from None
    except (NatsError, OSError) as error:
        raise LogUnavailable(
            f"JetStream does not answer {verb}: {str(error) or type(error).__name__}",
            where=where,
            remedy="check that the server is up and that our user may call its API",
        ) from error
    reply: dict[str, Any] = msgspec.json.decode(message.data)
    refusal = reply.get("error")
    if refusal and refusal.get("err_code") != allowed:
        raise _refusal(refusal, where)
    return reply


def _refusal(error: Mapping[str, Any], where: str) -> LogError:
    code, text = error.get("err_code"), error.get("description", "no reason given")
    if code in DISABLED:
        return _disabled(where)
    if code in TOO_LITTLE_ROOM:
        return DiskTooSmall(
            f"the server has no room for this stream: {text}",
            where=where,
            remedy="raise the server's max_file_store, or lower max_bytes in streams.yaml",
        )
    return StreamMismatch(
        f"the server refuses this stream: {text} ({code})",
        where=where,
        remedy="compare the server's streams with streams.yaml",
    )


def _disabled(where: str) -> JetStreamDisabled:
    return JetStreamDisabled(
        "the server has no JetStream for us",
        where=where,
        remedy="enable JetStream in the server's config, and for our account",
    )
