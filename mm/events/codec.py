"""Turns as bytes: deterministic MessagePack, versioned, upcast, never guessed at.

The version stands in the second byte of every payload. Older versions are lifted step by step to
the current one; a newer one stops with `NewerVersion`, an unknown tag with `UnknownTag`, anything
else that cannot be read with `DecodeError`. Golden logs of every release must decode for ever.
A new field, even one with a default, is a new version: readers ignore what is surplus in an array,
and an older mm would lose it without a word.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from mm.errors import BadInput, DecodeError, NewerVersion, UnknownTag
from mm.events.turn import Turn
from mm.events.vocabulary import KINDS, Event

VERSION: Final = 1
Upcast = Callable[[list[Any]], list[Any]]
UPCASTS: Final[Mapping[int, Upcast]] = {}
"""From version n to n + 1, on the undecoded array; empty while there is only version 1."""

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What damaged bytes make the decoder raise: text that is none, and nests without end, too."""
_encoder: Final = msgspec.msgpack.Encoder(decimal_format="string")
_turns: Final = msgspec.msgpack.Decoder(Turn)
_events: Final = msgspec.msgpack.Decoder(Event)
_raw: Final = msgspec.msgpack.Decoder()


def encode(turn: Turn) -> bytes:
    """The bytes of a turn; equal turns give equal bytes on every machine."""
    return _encoder.encode(turn)


def decode(payload: bytes) -> Turn:
    """Read a turn back; raises `NewerVersion`, `UnknownTag` or `DecodeError`."""
    if len(payload) > 1 and payload[1] == VERSION:
        try:
            return _turns.decode(payload)
        except _UNREADABLE as error:
            raise explain(payload, error) from error
    return decode_older(payload, UPCASTS, VERSION)


def decode_older(payload: bytes, upcasts: Mapping[int, Upcast], version: int) -> Turn:
    """Lift a payload of an older version to `version`, then read it."""
    try:
        raw = _raw.decode(payload)
        written = raw[0]
        if not isinstance(written, int) or written < 1:
            raise DecodeError(f"the payload has no version: {written!r}", remedy=_DAMAGED)
        if written > version:
            raise NewerVersion(
                f"the turn was written in version {written}, this mm reads up to {version}",
                remedy="upgrade mm; logs are never rewritten to an older version",
            )
        for step in range(written, version):
            raw = upcasts[step](raw)
        return msgspec.convert(raw, Turn)
    except (*_UNREADABLE, IndexError, TypeError, KeyError) as error:
        raise explain(payload, error) from error


def encode_event(event: Event) -> bytes:
    """The bytes of a single event."""
    return _encoder.encode(event)


def decode_event(payload: bytes) -> Event:
    """Read a single event back; raises `UnknownTag` or `DecodeError`."""
    try:
        event: Event = _events.decode(payload)
    except _UNREADABLE as error:
        raise _named("an event", payload, _tag(payload), error) from error
    return event


def digest_of(payload: bytes) -> bytes:
    """SHA-256 of a payload: the turn's id and its successor's link."""
    return hashlib.sha256(payload).digest()


_DAMAGED: Final = "the log is damaged here: run `mm log check`"


def explain(payload: bytes, error: Exception) -> BadInput:
    """Name what in the payload of a turn cannot be read."""
    return _named("a turn", payload, _tags(payload), error)


def _named(what: str, payload: bytes, tags: list[str], error: Exception) -> BadInput:
    unknown = sorted({tag for tag in tags if tag not in KINDS})
    if unknown:
        return UnknownTag(
            f"unknown event {', '.join(unknown)}",
            remedy="upgrade mm: a newer version wrote this log",
        )
    return DecodeError(f"{what} of {len(payload)} bytes cannot be read: {error}", remedy=_DAMAGED)


def _tags(payload: bytes) -> list[str]:
    """The tags of a turn's events; none where it does not hold any."""
    try:
        raw = _raw.decode(payload)
        return [str(event[0]) for part in raw[6:8] for event in part]
    except (*_UNREADABLE, IndexError, TypeError, KeyError):
        return []


def _tag(payload: bytes) -> list[str]:
    """The tag of a single event; none where there is none."""
    try:
        raw = _raw.decode(payload)
    except _UNREADABLE:
        return []
    return [raw[0]] if isinstance(raw, list) and raw and isinstance(raw[0], str) else []
