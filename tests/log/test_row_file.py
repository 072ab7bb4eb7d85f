"""A row file gives back what was written, in blocks of any size; what is wrong is named."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import BadInput, LogDamaged, LogUnavailable, MmError, NewerVersion
from mm.log import row_file, row_tables
from mm.log.row_file import BATCH, RowFile
from mm.log.row_tables import Tables
from mm.log.row_writer import write_rows
from mm.log.rows import ROW, Flag, Kind, Rows
from tests.log.made_rows import joined, many, row, rows, same, tables


def long_rows(count: int) -> Rows:
    """Many rows that differ, a turn each."""
    made = np.zeros(count, ROW)
    made["at"] = np.arange(count) + 1_000
    made["venue"] = made["at"] - 7
    made["price"], made["size"] = np.arange(count) % 1_000, np.arange(count) % 77
    made["kind"], made["flags"] = Kind.BID, Flag.EVENT | Flag.TURN
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for files that are written over and over."""
    return tmp_path_factory.mktemp("rows")


@given(made=many(), cut=st.integers(1, 9), size=st.integers(1, 70))
def test_rows_come_back_whatever_the_blocks(place: Path, made: Rows, cut: int, size: int) -> None:
    """Written in pieces and read in others, by blocks or at once, narrow or wide: the same rows."""
    pieces = (made[start : start + cut] for start in range(0, len(made), cut))
    file = write_rows(place / "market.arrow", tables(), pieces, source="abc")
    blocks = list(file.blocks(size))
    assert all(0 < len(block) <= size for block in blocks)
    assert same(joined(blocks), made)
    assert same(file.load(), made)
    assert same(file.load(), made)
    header = file.header
    assert (header.rows, header.source, header.tables) == (len(made), "abc", tables())
    assert header.turns == int((made["flags"] & Flag.TURN != 0).sum())
    assert header.events == int((made["flags"] & Flag.EVENT != 0).sum())
    assert header.kinds == tuple(np.bincount(made["kind"], minlength=len(Kind)).tolist())
    if len(made):
        assert (header.first, header.last) == (made["at"][0], made["at"][-1])


def test_columns_are_as_narrow_as_their_values(tmp_path: Path) -> None:
    """Each column alone takes the width that its greatest value needs."""
    given_rows = {
        (pa.uint32(), pa.int32(), pa.int32()): row(at=2**40, venue=2**40 - 2**32 + 1),
        (pa.int64(), pa.int32(), pa.int32()): row(at=2**40, venue=2**40 - 2**32),
        (pa.uint32(), pa.int64(), pa.int32()): row(price=2**31),
        (pa.uint32(), pa.int32(), pa.int64()): row(size=2**31),
    }
    for types, given_row in given_rows.items():
        path = tmp_path / "market.arrow"
        file = write_rows(path, tables(), [rows(given_row)])
        schema = pa.ipc.open_file(pa.OSFile(str(path))).schema
        assert tuple(schema.types[1:4]) == types
        assert same(joined(file.blocks()), rows(given_row))


def test_a_long_file_is_read_in_batches_and_shared(tmp_path: Path) -> None:
    """Several batches, the last one short; a loaded file is one mapping of one plain file."""
    made = long_rows(2 * BATCH + 5)
    file = write_rows(tmp_path / "market.arrow", tables(), [made])
    assert [len(block) for block in file.blocks()] == [BATCH, BATCH, 5]
    assert same(joined(file.blocks(10_000)), made)
    sent = pickle.loads(pickle.dumps(file))  # noqa: S301 - our own bytes.
    assert same(sent.load(), made)
    assert same(file.load(), made)
    assert len(list(tmp_path.glob("*.plain"))) == 1
    assert file.load().flags.writeable, "a read-only array is another type to the compiler"


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    """A file does not depend on how its rows were cut when they were written."""
    made = long_rows(BATCH + 3)
    one = write_rows(tmp_path / "one.arrow", tables(), [made])
    cut = write_rows(tmp_path / "cut.arrow", tables(), np.array_split(made, 7))
    assert one.digest == cut.digest
    assert one.path.read_bytes() == cut.path.read_bytes()
    assert sorted(tmp_path.iterdir()) == [cut.path, one.path], "something hidden was left"


def test_a_load_that_cannot_be_shared_is_private(tmp_path: Path) -> None:
    """Where no plain file can be written, the rows are loaded all the same."""
    made = long_rows(BATCH + 3)
    file = write_rows(tmp_path / "market.arrow", tables(), [made])
    (tmp_path / f"market-{file.digest[:16]}.plain").mkdir()
    assert same(file.load(), made)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (row(at=9), "is earlier than the row before it"),
        (row(venue=8), "is earlier at the venue than the row before it"),
        (row(venue=11), "is later at the venue than on the log"),
        (row(instrument=2), "names an instrument without a definition"),
        (row(kind=17), "is of no known kind: 17"),
        (row(price=-1), "has a negative price: BID"),
        (row(size=-1), "has a negative size"),
        (row(kind=Kind.SOLD, size=0), "is a print of no lots: SOLD"),
        (row(kind=Kind.BOUGHT, size=-1), "has a negative size: BOUGHT"),
        (row(kind=Kind.MARK, price=0), "names an entry that is in no table: MARK"),
        (row(kind=Kind.FUNDING, price=0), "names an entry that is in no table"),
        (row(kind=Kind.DEFINED, price=0), "names an entry that is in no table"),
        (row(kind=Kind.UP), "names an entry that is in no table"),
    ],
)
def test_a_row_that_cannot_be_is_refused(tmp_path: Path, wrong: Any, what: str) -> None:
    """The error names file, row and fault, and nothing is left behind."""
    blocks = [rows(row(), row()), rows(row(), wrong)]
    with pytest.raises(BadInput, match=what) as caught:
        write_rows(tmp_path / "market.arrow", tables(), blocks)
    assert caught.value.where == f"{tmp_path / 'market.arrow'}, row 3"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "what", "place"),
    [
        ([row(), row(flags=1), row(at=11)], "begins another turn before the last one ended", 2),
        ([row(), row(flags=1)], "does not end its turn", 1),
    ],
)
def test_a_turn_has_to_end(tmp_path: Path, wrong: list[Any], what: str, place: int) -> None:
    """Rows of one time may share a turn; a later row, or none, may not follow an open one."""
    with pytest.raises(BadInput, match=what) as caught:
        write_rows(tmp_path / "market.arrow", tables(), [rows(*wrong)])
    assert caught.value.where.endswith(f", row {place}")


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Rows are written into a directory that exists, and opened where they are."""
    with pytest.raises(LogUnavailable):
        write_rows(tmp_path / "none" / "market.arrow", tables(), [])
    with pytest.raises(BadInput, match="there is no file"):
        RowFile.open(tmp_path / "market.arrow")


def read_all(path: Path) -> Rows:
    """Open and read."""
    return joined(RowFile.open(path).blocks())


@given(st.data())
def test_no_changed_byte_goes_unseen(place: Path, data: st.DataObject) -> None:
    """Whatever byte changes, or wherever the file ends: the same rows, or damage that is named."""
    made = rows(*(row(at=10 + n, price=n, size=n) for n in range(20)))
    path = place / "damaged.arrow"
    write_rows(path, tables(), [made])
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[at:]
    path.write_bytes(content)
    try:
        assert same(read_all(path), made)
    except LogDamaged as error:
        named = error.where
    else:
        named = str(path)
    assert named.startswith(str(path))


def test_damage_names_the_rows(tmp_path: Path) -> None:
    """A changed value is found in its batch; a torn file says how many rows are whole."""
    path = tmp_path / "market.arrow"
    write_rows(path, tables(), [long_rows(2 * BATCH + 5)])
    content = path.read_bytes()
    middle = len(content) // 2 + 10_000
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(LogDamaged, match="not what was written") as caught:
        read_all(path)
    assert caught.value.where == f"{path}, rows {BATCH} to {2 * BATCH - 1}"
    path.write_bytes(content[:middle])
    with pytest.raises(LogDamaged, match="not whole") as caught:
        read_all(path)
    assert caught.value.where == f"{path}, after row {BATCH}"


def rewritten(path: Path, change: Any) -> None:
    """A file with another schema or other batches under a header that is true to itself."""
    with pa.OSFile(str(path)) as source:
        table = change(pa.ipc.open_file(source).read_all())
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def test_columns_and_batches_have_to_be_there(tmp_path: Path) -> None:
    """A file without a column, with a float for one, or without its rows is damaged."""
    path = tmp_path / "market.arrow"

    def floats(table: pa.Table) -> pa.Table:
        return table.set_column(2, "price", table["price"].cast(pa.float64()))

    for change in (lambda table: table.drop_columns(["size"]), floats, lambda table: table[:0]):
        write_rows(path, tables(), [rows(row(), row())])
        rewritten(path, change)
        with pytest.raises(LogDamaged):
            read_all(path)


def test_rows_of_a_later_version_are_refused(tmp_path: Path, monkeypatch: Any) -> None:
    """A file of a format that this version does not know is not guessed at."""
    write_rows(tmp_path / "market.arrow", tables(), [])
    monkeypatch.setattr(row_tables, "VERSION", 0)
    with pytest.raises(NewerVersion, match="format 2"):
        RowFile.open(tmp_path / "market.arrow")


def test_a_file_that_was_replaced_is_not_mixed_up(tmp_path: Path) -> None:
    """An open file that is written anew says so instead of giving other rows."""
    path = tmp_path / "market.arrow"
    file = write_rows(path, tables(), [rows(row())])
    write_rows(path, tables(), [rows(row(), row())])
    with pytest.raises(LogDamaged, match="replaced"):
        list(file.blocks())
    path.unlink()
    with pytest.raises(MmError, match="cannot be opened"):
        list(file.blocks())


def test_tables_keep_every_digit(tmp_path: Path) -> None:
    """Decimals and definitions come back exactly."""
    given_tables = tables()
    file = write_rows(tmp_path / "market.arrow", given_tables, [])
    assert RowFile.open(file.path).tables == given_tables
    assert Tables().sizes() == (0, 0, 0, 0, 0)
    assert row_file.BATCH == BATCH
