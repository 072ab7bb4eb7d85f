"""The fields of every event are part of the version: none comes or moves without a decision.

`golden/fields.json` holds, for each version, the fields of a turn and of each tag, in their order.
Arrays name no fields and a reader ignores what is surplus, so that an older mm would drop a new
field without a word: only another version makes it refuse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import pytest

from mm.errors import NewerVersion
from mm.events import codec
from mm.events.session import NoteTaken
from mm.events.turn import NO_HASH, Turn
from mm.events.units import Nanos, Seq, TurnNumber
from mm.events.vocabulary import KINDS

PATH: Final = Path(__file__).parents[1] / "golden" / "fields.json"
Fields = dict[str, list[str]]
GOLDEN: Final = msgspec.json.decode(PATH.read_bytes(), type=dict[int, Fields])


def fields() -> Fields:
    """The fields that this code writes, by tag."""
    kinds: dict[str, type[msgspec.Struct]] = {"turn": Turn, **KINDS}
    return {tag: list(kind.__struct_fields__) for tag, kind in kinds.items()}


def lines(version: int, known: Fields) -> str:
    """The golden entry of a version, a tag a line."""
    rows = [f'    "{tag}": {msgspec.json.encode(names).decode()}' for tag, names in known.items()]
    return f'  "{version}": {{\n' + ",\n".join(rows) + "\n  }"


def test_the_fields_of_this_version_are_as_decided() -> None:
    """A difference needs a new `VERSION` with an upcast, and an entry of its own here."""
    assert sorted(GOLDEN) == list(range(1, codec.VERSION + 1))
    wrong = "raise codec.VERSION, or, if no release wrote it yet, make it\n"
    assert GOLDEN[codec.VERSION] == fields(), wrong + lines(codec.VERSION, fields())


def test_later_versions_only_add_at_the_end() -> None:
    """What an older version wrote stands where it stood, and no tag goes."""
    for version in range(2, codec.VERSION + 1):
        for tag, names in GOLDEN[version - 1].items():
            assert GOLDEN[version][tag][: len(names)] == names, f"{tag} in version {version}"


@pytest.mark.parametrize("newer", [0, 1])
def test_only_a_new_version_stops_an_older_reader(newer: int) -> None:
    """A surplus field is dropped in silence where the version is one that the reader knows."""
    note = NoteTaken(who="ann", text="hello")
    version = codec.VERSION + newer
    turn = Turn(version, TurnNumber(1), Seq(1), NO_HASH, NO_HASH, Nanos(1), (note,), ())
    raw = msgspec.msgpack.decode(codec.encode(turn))
    raw[6][0].append("what a later mm added")
    payload = msgspec.msgpack.encode(raw)
    if newer:
        with pytest.raises(NewerVersion, match="reads up to"):
            codec.decode(payload)
    else:
        assert codec.decode(payload) == turn
