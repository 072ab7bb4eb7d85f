"""Bytes that decode for ever, and every way in which bytes can be wrong.

`golden/v1.json` holds, for each tag, an event and the bytes that version 1 wrote for it. An entry
is never changed: a field added later must have a default, and the old bytes must give it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict
from msgspec.structs import fields as struct_fields

from mm.errors import BadInput, DecodeError, NewerVersion, UnknownTag
from mm.events import codec
from mm.events.session import NoteTaken
from mm.events.turn import NO_HASH, Turn, records
from mm.events.units import Nanos, Seq, TurnNumber
from mm.events.vocabulary import INTENTS, KINDS, levels_in, tag_of
from mm.log.chain import Sealed
from tests.strategies import chains, events, example

PATH: Final = Path(__file__).parents[1] / "golden" / "v1.json"
GOLDEN: Final[dict[str, dict[str, Any]]] = msgspec.json.decode(PATH.read_bytes())
NOTE: Final = NoteTaken(who="ann", text="hello")


def turn(*facts: Any, number: int = 1, version: int = codec.VERSION) -> Turn:
    """A turn of facts at the start of a log."""
    return Turn(version, TurnNumber(number), Seq(1), NO_HASH, NO_HASH, Nanos(1_000), facts, ())


def entry(kind: Any) -> str:
    """The golden entry that a new kind needs."""
    event = example(kind)
    plain = msgspec.json.encode({"bytes": codec.encode_event(event).hex(), "event": asdict(event)})
    return f'"{tag_of(kind)}": {plain.decode()}'


@pytest.mark.parametrize("tag", KINDS)
def test_golden_bytes_decode_for_ever(tag: str) -> None:
    """What version 1 wrote is read as the event that was meant."""
    assert tag in GOLDEN, f"a new kind: add to {PATH.name}\n{entry(KINDS[tag])}"
    kind = KINDS[tag]
    types = {field.name: field.type for field in struct_fields(kind)}
    plain = GOLDEN[tag]["event"]
    meant = kind(**{name: msgspec.convert(value, types[name]) for name, value in plain.items()})
    assert codec.decode_event(bytes.fromhex(GOLDEN[tag]["bytes"])) == meant


@pytest.mark.parametrize("tag", KINDS)
def test_golden_bytes_are_still_written(tag: str) -> None:
    """The fields that version 1 had are still written first and as they were."""
    wrote = msgspec.msgpack.decode(bytes.fromhex(GOLDEN[tag]["bytes"]))
    event = codec.decode_event(bytes.fromhex(GOLDEN[tag]["bytes"]))
    writes = msgspec.msgpack.decode(codec.encode_event(event))
    assert writes[: len(wrote)] == wrote


def test_no_tag_ever_disappears() -> None:
    """Every tag that was ever on a log is still known."""
    assert GOLDEN.keys() <= KINDS.keys()


def test_golden_turn() -> None:
    """The bytes of a whole turn, its version in the second byte."""
    payload = codec.encode(turn(NOTE))
    assert payload.hex() == (
        "98010101c420" + "00" * 32 + "c420" + "00" * 32
        + "cd03e89193a46e6f7465a3616e6ea568656c6c6f90"
    )  # fmt: skip
    assert codec.decode(payload) == turn(NOTE)


@given(event=events())
def test_any_event_round_trips(event: Any) -> None:
    """Bytes give the event, and the event the same bytes."""
    payload = codec.encode_event(event)
    assert codec.decode_event(payload) == event
    assert codec.encode_event(codec.decode_event(payload)) == payload


@given(log=chains(4))
def test_any_turn_round_trips(log: list[Sealed]) -> None:
    """A turn of any events comes back, under the same hash."""
    for sealed in log:
        assert codec.decode(sealed.payload) == sealed.turn
        assert codec.digest_of(codec.encode(sealed.turn)) == sealed.hash


@given(garbage=st.binary(max_size=60))
def test_garbage_is_named(garbage: bytes) -> None:
    """Whatever the bytes are, the answer is a typed error."""
    with pytest.raises(BadInput):
        codec.decode(b"\xc1" + garbage)
    with pytest.raises(BadInput):
        codec.decode_event(b"\xc1" + garbage)


def test_every_cut_is_named() -> None:
    """A payload that ends early at any byte cannot be read."""
    payload = codec.encode(turn(*(example(kind) for kind in KINDS.values() if kind not in INTENTS)))
    for end in range(len(payload)):
        with pytest.raises(DecodeError):
            codec.decode(payload[:end])


def test_every_flipped_bit_is_read_or_named() -> None:
    """A payload with one bit wrong gives another turn or a typed error, never any other."""
    payload = codec.encode(turn(NOTE, example(KINDS["instrument.defined"])))
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert codec.decode(bytes(flipped)) != turn(NOTE)
        except BadInput:
            continue


@pytest.mark.parametrize("head", [b"", b"\x98\x01"])
def test_nests_without_end_are_named(head: bytes) -> None:
    """A payload that nests deeper than any event is no turn."""
    with pytest.raises(DecodeError):
        codec.decode(head + b"\x91" * 100_000)
    with pytest.raises(DecodeError):
        codec.decode_event(head + b"\x91" * 100_000)


def test_an_unknown_tag_is_named() -> None:
    """An event of a later version stops the reader, who is told which."""
    raw = msgspec.msgpack.decode(codec.encode(turn(NOTE)))
    raw[6] = [["order.teleported", 1]]
    with pytest.raises(UnknownTag, match=r"order\.teleported"):
        codec.decode(msgspec.msgpack.encode(raw))
    with pytest.raises(UnknownTag, match=r"order\.teleported"):
        codec.decode_event(msgspec.msgpack.encode(["order.teleported", 1]))


@pytest.mark.parametrize("raw", [[], [1], [["note"]], {"note": 1}, ["note", 1], "note", None])
def test_what_has_no_tag_is_no_event(raw: Any) -> None:
    """Only a name in the place of the tag can be a later version's."""
    with pytest.raises(DecodeError):
        codec.decode_event(msgspec.msgpack.encode(raw))


def test_a_newer_version_is_named() -> None:
    """A later version stops the reader before anything is guessed."""
    payload = codec.encode(turn(NOTE, version=codec.VERSION + 1))
    with pytest.raises(NewerVersion, match=str(codec.VERSION + 1)):
        codec.decode(payload)


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.5])
def test_a_payload_without_a_version_is_refused(version: object) -> None:
    """A version is a number from 1."""
    raw = msgspec.msgpack.decode(codec.encode(turn(NOTE)))
    raw[0] = version
    with pytest.raises(DecodeError):
        codec.decode(msgspec.msgpack.encode(raw))


@pytest.mark.parametrize("payload", [b"", b"\x90", b"\x91\x01", b"\x01", b"\x81\x01\x01"])
def test_what_is_no_turn_is_refused(payload: bytes) -> None:
    """Good MessagePack need not be a turn."""
    with pytest.raises(DecodeError):
        codec.decode(payload)


def test_older_versions_are_lifted_step_by_step() -> None:
    """Each upcast leads to the next version; the last result is read as a turn of today."""

    def lift_1(raw: list[Any]) -> list[Any]:
        return [2, *raw[1:6], [[tag, text, "?"] for tag, text in raw[6]], raw[7]]

    def lift_2(raw: list[Any]) -> list[Any]:
        return [3, *raw[1:6], [[tag, who, text] for tag, text, who in raw[6]], raw[7]]

    old = [1, 1, 1, NO_HASH, NO_HASH, 1_000, [["note", "hello"]], []]
    lifted = codec.decode_older(msgspec.msgpack.encode(old), {1: lift_1, 2: lift_2}, 3)
    assert lifted == turn(NoteTaken(who="?", text="hello"), version=3)


def test_a_missing_upcast_is_an_error() -> None:
    """A version between that nobody can lift is not skipped."""
    old = [1, 1, 1, NO_HASH, NO_HASH, 1_000, [["note", "hello"]], []]
    with pytest.raises(DecodeError):
        codec.decode_older(msgspec.msgpack.encode(old), {}, 2)


def test_decimals_keep_their_digits() -> None:
    """A price is stored as the text it is: no digit is added or lost."""
    event = example(KINDS["mark"])
    for text in ("1.50", "-0", "1E+3", "1E-21", "9" * 40):
        price = msgspec.convert(text, type(event.price))
        changed = msgspec.structs.replace(event, price=price)
        read: Any = codec.decode_event(codec.encode_event(changed))
        assert str(read.price) == text


def test_records_number_the_events() -> None:
    """Facts come first, decisions after, numbered without a gap from the turn's first."""
    place = example(KINDS["order.place"])
    given_turn = msgspec.structs.replace(turn(NOTE, NOTE), first=Seq(41), decisions=(place,))
    found = [(record.number, record.index, record.event) for record in records(given_turn)]
    assert found == [(41, 0, NOTE), (42, 1, NOTE), (43, 2, place)]


def test_levels_count_one_each() -> None:
    """A book counts by its levels, anything else as one."""
    assert levels_in(example(KINDS["book.delta"])) == 4
    assert levels_in(NOTE) == 1
