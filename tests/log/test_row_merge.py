"""Several files read as one are their rows sorted by time, whole turns of earlier files first."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.errors import BadInput
from mm.events.units import Nanos
from mm.log import row_merge
from mm.log.row_file import BATCH, words_of
from mm.log.row_merge import MergedRows
from mm.log.row_tables import Channel, Header, Rate, Tables
from mm.log.row_writer import write_rows
from mm.log.rows import ROW, Kind, Rows
from tests import build
from tests.log.made_rows import joined, many, row, rows, same, tables


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for files that are written over and over."""
    return tmp_path_factory.mktemp("merge")


def merged(place: Path, parts: list[Rows]) -> MergedRows:
    """Files of these rows, read as one."""
    return MergedRows(
        [
            write_rows(place / f"{number}.arrow", tables(), [part])
            for number, part in enumerate(parts)
        ]
    )


def sorted_concat(parts: list[Rows]) -> Rows:
    """What merging has to give: a stable sort, instruments renumbered, the venue never back."""
    moved = [part.copy() for part in parts]
    for number, part in enumerate(moved):
        part["instrument"] += 2 * number
    words = np.concatenate([words_of(part) for part in moved])
    whole = words[np.argsort(words[:, 0], kind="stable")].reshape(-1).view(ROW)
    whole["venue"] = np.maximum.accumulate(whole["venue"])
    return whole


def rewritten(place: Path, source: MergedRows) -> Header:
    """What a file of all these rows says of itself."""
    return write_rows(place / "all.arrow", source.tables, source.blocks()).header


@given(parts=st.lists(many(), min_size=1, max_size=3), size=st.integers(1, 9))
def test_a_merge_is_a_sorted_concat(place: Path, parts: list[Rows], size: int) -> None:
    """Blocks of any size, times that tie within and between files, files without a row."""
    source = merged(place, parts)
    blocks = list(source.blocks(size))
    assert all(0 < len(block) <= size for block in blocks)
    assert same(joined(blocks), sorted_concat(parts))
    told = rewritten(place, source)
    assert replace(source.header, source="", sums=told.sums) == told


def test_long_files_are_merged_in_pieces(tmp_path: Path) -> None:
    """Batches that end at different times, and one file inside a gap of the other."""
    first, second = np.zeros(BATCH + 9, ROW), np.zeros(2 * BATCH, ROW)
    first["at"] = first["venue"] = np.arange(len(first)) * 3
    second["at"] = second["venue"] = 3 * BATCH - 50 + np.arange(len(second)) // 5
    first["flags"] = second["flags"] = 3
    first["size"], second["size"] = 1, 2
    assert same(joined(merged(tmp_path, [first, second]).blocks()), sorted_concat([first, second]))


def test_rows_point_at_the_entries_they_pointed_at(tmp_path: Path) -> None:
    """Instruments, revisions, marks, rates and channels keep their meaning."""
    revised = build.instrument(revision=2)
    own = [
        Tables(
            instruments=[build.instrument()],
            revisions=[revised],
            marks=[Decimal(mark) for mark in range(number + 1)],
            rates=[Rate(Decimal(number), Nanos(1))],
            channels=[Channel(0, 0, "depth")],
        )
        for number in range(2)
    ]
    told = rows(
        row(kind=Kind.MARK, price=0),
        row(kind=Kind.FUNDING, price=0),
        row(kind=Kind.DEFINED, price=0),
        row(kind=Kind.UP),
        row(kind=Kind.BID, price=7),
    )
    files = [
        write_rows(tmp_path / f"{number}.arrow", each, [told]) for number, each in enumerate(own)
    ]
    source = MergedRows(files)
    found = joined(source.blocks(2))
    assert found["price"].tolist() == [0, 0, 0, 100, 7, 1, 1, 1, 100, 7]
    assert found["instrument"].tolist() == [0] * 5 + [1] * 5
    assert source.tables == Tables(
        instruments=[build.instrument(instrument=number) for number in (1, 2)],
        revisions=[replace(revised, instrument=number) for number in (1, 2)],
        marks=[Decimal(0), Decimal(0), Decimal(1)],
        rates=[Rate(Decimal(0), Nanos(1)), Rate(Decimal(1), Nanos(1))],
        channels=[Channel(0, 0, "depth"), Channel(1, 0, "depth")],
    )


def test_more_instruments_than_rows_can_number_are_refused(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """The bound is named before a row is read."""
    monkeypatch.setattr(row_merge, "INSTRUMENTS_MAX", 3)
    with pytest.raises(BadInput, match="4 instruments are more"):
        merged(tmp_path, [rows(), rows()])
