"""The archive: the very turns come back, damage is named, and a crash loses no finished span."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from mm.errors import (
    BadInput,
    ConfigError,
    LogDamaged,
    LogFull,
    LogUnavailable,
    NewerVersion,
    SequenceHole,
    SessionError,
    StoreLocked,
    WriterFenced,
)
from mm.events import codec
from mm.events.units import Nanos, TurnNumber
from mm.events.vocabulary import KINDS
from mm.log import files, manifest
from mm.log.archive import Archive, ArchiveWriter, is_archive
from mm.log.chain import START, Sealed, advance, seal
from mm.log.columns import PLACE, Rows, fields
from mm.log.manifest import Manifest
from mm.log.spans import PACK_EVENTS_MAX, READ_EVENTS_MAX
from tests.build import delta, quote
from tests.strategies import chained, chains, example

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR: Final = 3_600 * 10**9
MORNING: Final = Nanos(1_700_006_400 * 10**9)  # 2023-11-15 00:00 UTC.


def log_of(turns: int, gap: int = HOUR // 10) -> list[Sealed]:
    """Turns of which every third places an order, the rest market data."""
    place, book = example(KINDS["order.place"]), example(KINDS["book.delta"])
    market = [quote(100, 101), book, example(KINDS["trade"])]
    steps = [(gap, market, [] if number % 3 else [place]) for number in range(turns)]
    steps[0] = (int(MORNING), market, [place])
    return chained([(gap, list(facts), list(decided)) for gap, facts, decided in steps])


def write(path: Path, log: list[Sealed], **options: Any) -> Archive:
    """An archive of a log."""
    with ArchiveWriter(path, **options) as writer:
        append(writer, log)
    return Archive(path)


def append(writer: ArchiveWriter, log: list[Sealed]) -> None:
    """Append all of these."""
    for sealed in log:
        writer.append(sealed)


@pytest.fixture
def log() -> list[Sealed]:
    """Thirty turns of one morning."""
    return log_of(30)


@pytest.fixture
def path(tmp_path: Path, log: list[Sealed]) -> Path:
    """Their archive, in three spans."""
    write(tmp_path / "a", log, span_events_max=35)
    assert len(Archive(tmp_path / "a").manifest.spans) == 3
    return tmp_path / "a"


@given(log=chains())
def test_any_log_comes_back(tmp_path_factory: pytest.TempPathFactory, log: list[Sealed]) -> None:
    """Turns, bytes and hashes are those that were written, whatever the events hold."""
    path = tmp_path_factory.mktemp("any")
    archive = write(path, log, span_events_max=25)
    assert list(archive.turns()) == log
    assert list(archive.order_turns()) == [each for each in log if each.turn.previous_orders]
    head = advance(START, log[-1]) if log else START
    assert (archive.head.number, archive.head.hash) == (len(log), head.hash)


def test_reading_may_start_anywhere(path: Path, log: list[Sealed]) -> None:
    """Spans before the wanted turn are stepped over; the rest is the same."""
    for after in (0, 1, 8, 9, 10, 29, 30, 31):
        assert list(Archive(path).turns(TurnNumber(after))) == log[after:]


def test_days_are_apart(tmp_path: Path) -> None:
    """A span never crosses midnight UTC, and its directory names the day."""
    log = log_of(30, gap=2 * HOUR)
    archive = write(tmp_path / "a", log)
    days = [(span.day, span.first_turn, span.last_turn) for span in archive.manifest.spans]
    assert days == [("2023-11-15", 1, 12), ("2023-11-16", 13, 24), ("2023-11-17", 25, 30)]
    assert [file.parent.name for file in archive.files("trade")] == [
        f"day={day}" for day, _, _ in days
    ]
    assert list(archive.turns()) == log


def test_the_manifest_counts(path: Path) -> None:
    """Rows per kind over all spans, name and kind; columns of one kind span by span."""
    archive = Archive(path)
    rows = {"book.delta": 30, "order.place": 10, "quote": 30, "trade": 30, "turns": 30}
    assert archive.manifest.rows == rows
    assert (archive.manifest.name, archive.manifest.kind) == ("a", "session")
    tables = list(archive.tables("quote"))
    assert [table.num_rows for table in tables] == [11, 11, 8]
    assert [number for table in tables for number in table["turn"].to_pylist()] == [*range(1, 31)]
    assert list(archive.tables("order.filled")) == []
    archive.check_files()


def test_columns_have_their_types(path: Path) -> None:
    """Integers are int64, sides int8, enums and decimals strings, levels two aligned lists."""
    archive = Archive(path)
    (table, *_), (places, *_) = archive.tables("book.delta"), archive.tables("order.place")
    assert tuple(table.column_names[:4]) == PLACE
    assert table["bids_price"][0].as_py() == [70_006, 69_996]
    assert table["bids_size"][0].as_py() == [3, 7]
    assert places.schema.field("side").type == pa.int8()
    assert places.schema.field("tif").type == pa.string()


def test_two_writes_give_the_same_files(tmp_path: Path, log: list[Sealed]) -> None:
    """The same turns give the same bytes, file for file."""
    first, second = (write(tmp_path / name, log, name="x").manifest for name in ("a", "b"))
    assert first == second


def test_an_archive_is_continued(tmp_path: Path, log: list[Sealed]) -> None:
    """A second writer goes on after the last span."""
    write(tmp_path / "a", log[:11])
    assert list(write(tmp_path / "a", log[11:]).turns()) == log


def test_older_bytes_are_kept(tmp_path: Path) -> None:
    """A turn that this version would write otherwise comes back as it was written."""
    sealed = log_of(1)[0]
    raw = msgspec.msgpack.decode(sealed.payload)
    raw[7][0] = raw[7][0][:-1]  # The field `level` has a default: an older version had none.
    payload = msgspec.msgpack.encode(raw)
    older = Sealed(codec.decode(payload), payload, codec.digest_of(payload))
    following = seal(advance(START, older), MORNING, [quote(1, 2)], [])
    assert list(write(tmp_path / "a", [older, following]).turns()) == [older, following]


def test_files_of_an_older_version_are_read(tmp_path: Path) -> None:
    """A file without a column that was added later gives the array as it then was."""
    sealed = log_of(1)[0]
    raw = msgspec.msgpack.decode(sealed.payload)
    table = next(write(tmp_path / "a", [sealed]).tables("order.place")).drop(["level"])
    about = dict(table.schema.metadata)
    about[b"mm.fields"] = about[b"mm.fields"].removesuffix(b" level")
    (row,) = Rows(table.replace_schema_metadata(about), where="x").read(0, 1)
    assert list(row) == raw[7][0][:-1]


# Damage.


def biggest(path: Path, kind: str = "book_delta", span: int = 2) -> Path:
    """One file of a span."""
    (found,) = path.glob(f"day=*/{span:06}-{kind}.parquet")
    return found


def test_any_flipped_bit_is_named(path: Path) -> None:
    """A byte that changed in any file stops the reader, who names the file and its turns."""
    for file in sorted(path.glob("day=*/*.parquet")):
        good = file.read_bytes()
        for place in range(0, len(good), 997):
            file.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
            with pytest.raises(LogDamaged, match=file.name) as caught:
                list(Archive(path).turns())
            assert "turns" in caught.value.where
        file.write_bytes(good)


def test_a_flipped_bit_in_the_manifest_is_named(path: Path) -> None:
    """The manifest guards itself."""
    file = path / manifest.NAME
    good = file.read_bytes()
    for place in range(0, len(good), 23):
        changed = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        if changed.split() == good.split():
            continue
        file.write_bytes(changed)
        with pytest.raises((LogDamaged, NewerVersion)):
            Archive(path)


@pytest.mark.parametrize("left", [0, 1, 100])
def test_a_truncated_file_is_named(path: Path, left: int) -> None:
    """A file that lost its end is not read."""
    file = biggest(path)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(LogDamaged, match=f"{left} bytes instead of"):
        list(Archive(path).turns())


@pytest.mark.parametrize("kind", ["book_delta", "turns", "order_place"])
def test_a_missing_file_is_named(path: Path, kind: str) -> None:
    """A file that is gone is named, whether orders or everything is read."""
    file = biggest(path, kind)
    file.unlink()
    with pytest.raises(LogDamaged, match=file.name):
        list(Archive(path).turns())
    with pytest.raises(LogDamaged, match=file.name):
        list(Archive(path).order_turns())
    with pytest.raises(LogDamaged, match=file.name):
        Archive(path).check_files()


def test_spans_before_the_damage_can_be_read(path: Path, log: list[Sealed]) -> None:
    """Damage stops the reader where it is, not before."""
    biggest(path).unlink()
    whole = Archive(path).manifest.spans[0].last_turn
    turns = Archive(path).turns()
    assert [next(turns) for _ in range(whole)] == log[:whole]
    with pytest.raises(LogDamaged):
        next(turns)


def forge(path: Path, change: Callable[[pa.Table], pa.Table], kind: str, span: int = 2) -> None:
    """Change a file's columns and cover it up in the manifest: only the turns' hashes remain."""
    file = biggest(path, kind, span)
    sink = io.BytesIO()
    table = change(pq.ParquetFile(file).read())
    pq.write_table(table, sink)
    cover(path, file, sink.getvalue(), table.num_rows)


def cover(path: Path, file: Path, content: bytes, rows: int) -> None:
    """Replace a file and make the manifest agree with it."""
    file.write_bytes(content)
    found = manifest.load(path)
    spans = [
        msgspec.structs.replace(
            span,
            files=tuple(
                msgspec.structs.replace(
                    each,
                    rows=rows,
                    bytes=len(content),
                    sha256=hashlib.sha256(content).hexdigest(),
                )
                if each.path == str(file.relative_to(path))
                else each
                for each in span.files
            ),
        )
        for span in found.spans
    ]
    manifest.save(path, msgspec.structs.replace(found, spans=tuple(spans)))


def column(name: str, change: Callable[[list[Any]], list[Any]]) -> Callable[[pa.Table], pa.Table]:
    """A change of one column."""

    def changed(table: pa.Table) -> pa.Table:
        index = table.column_names.index(name)
        values = pa.array(change(table[name].to_pylist()), table.schema.field(name).type)
        return table.set_column(index, table.schema.field(name), values)

    return changed


def nudge(values: list[Any]) -> list[Any]:
    """Change one value."""
    value = values[4]
    other = [*value[:-1], value[-1] + 1] if isinstance(value, list) else value + 1
    return [*values[:4], other, *values[5:]]


def swap(values: list[Any]) -> list[Any]:
    """Exchange two values."""
    return [*values[:3], values[4], values[3], *values[5:]]


FORGERIES: Final = {
    "price": ("quote", column("bid", nudge)),
    "level": ("book_delta", column("bids_price", nudge)),
    "null": ("quote", column("bid", lambda values: [None, *values[1:]])),
    "time": ("turns", column("time", nudge)),
    "version": ("turns", column("version", nudge)),
    "facts": ("turns", column("n_facts", nudge)),
    "first": ("turns", column("first", nudge)),
    "hash": ("turns", column("hash", swap)),
    "no hash": ("turns", column("hash", lambda values: [None, *values[1:]])),
    "orders": ("turns", column("orders", lambda values: [not value for value in values])),
    "negative": ("turns", column("n_facts", lambda values: [-9, *values[1:]])),
    "lists": ("book_delta", column("bids_size", lambda values: [[1], *values[1:]])),
    "index": ("quote", column("index", lambda values: [200, *values[1:]])),
    "twice": ("quote", column("index", lambda values: [1 for _ in values])),
    "turn": ("quote", column("turn", swap)),
    "shifted": ("quote", column("turn", lambda values: [value + 1 for value in values])),
    "row": ("quote", lambda table: table.slice(1)),
    "column": ("quote", lambda table: table.drop(["bid"])),
    "type": ("quote", lambda table: table.set_column(1, "turn", pa.array(["x"] * len(table)))),
    "no place": ("quote", lambda table: table.drop(["index"])),
    "tag": ("quote", lambda table: table.replace_schema_metadata({"mm.tag": "trade"})),
    "no turns": ("turns", lambda table: table.drop(["number"])),
    "turn type": ("turns", lambda table: table.set_column(0, "number", table["hash"])),
    "last turn": ("turns", lambda table: table.slice(0, len(table) - 1)),
    "no rows": ("turns", lambda table: table.slice(0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_covered_up_change_is_found(path: Path, name: str) -> None:
    """Columns that were edited together with the manifest still betray themselves."""
    kind, change = FORGERIES[name]
    forge(path, change, kind)
    with pytest.raises(LogDamaged) as caught:
        list(Archive(path).turns())
    assert "000002" in caught.value.where


def test_a_missing_turn_is_a_hole(path: Path) -> None:
    """A row of the turns that was taken out is a hole, named by its number."""
    forge(path, lambda table: pa.concat_tables([table.slice(0, 2), table.slice(3)]), "turns")
    with pytest.raises(SequenceHole, match="turn 14 is missing"):
        list(Archive(path).turns())
    with pytest.raises(SequenceHole, match="turn 14 is missing"):
        list(Archive(path).order_turns())


def test_a_covered_up_order_is_found(path: Path) -> None:
    """Reading orders only checks their events and links as well."""
    forge(path, column("size", nudge_first), "order_place")
    with pytest.raises(LogDamaged):
        list(Archive(path).order_turns())


def nudge_first(values: list[Any]) -> list[Any]:
    """Change the first value."""
    return [values[0] + 1, *values[1:]]


def test_a_span_with_another_end_is_found(path: Path) -> None:
    """The head that the manifest gives a span has to be the one its turns lead to."""
    found = manifest.load(path)
    first, second, third = found.spans
    lie = msgspec.structs.replace(second.head, orders_hash="00" * 32)
    spans = (first, msgspec.structs.replace(second, head=lie), third)
    manifest.save(path, msgspec.structs.replace(found, spans=spans))
    with pytest.raises(LogDamaged, match="span 2"):
        list(Archive(path).turns())
    with pytest.raises(LogDamaged, match="span 2"):
        list(Archive(path).order_turns())


def test_a_missing_span_is_found(path: Path) -> None:
    """A manifest without one of its spans does not join."""
    found = manifest.load(path)
    manifest.save(path, msgspec.structs.replace(found, spans=(found.spans[0], found.spans[2])))
    with pytest.raises(SequenceHole, match="is missing"):
        list(Archive(path).turns())
    with pytest.raises(LogDamaged):
        list(Archive(path).turns(TurnNumber(30)))
    bare = msgspec.structs.replace(found.spans[0], files=())
    manifest.save(path, msgspec.structs.replace(found, spans=(bare,)))
    with pytest.raises(LogDamaged, match="no turns"):
        list(Archive(path).turns())


def test_what_is_no_parquet_is_named(path: Path) -> None:
    """A file whose checksum agrees may still be no table, or have other rows than it says."""
    file = biggest(path)
    good, rows = file.read_bytes(), pq.ParquetFile(file).metadata.num_rows
    cover(path, file, b"PAR1 nothing PAR1", rows)
    with pytest.raises(LogDamaged, match="cannot be read"):
        list(Archive(path).turns())
    cover(path, file, good, rows + 1)
    with pytest.raises(LogDamaged, match="rows instead of"):
        list(Archive(path).turns())


# Manifests, writers and crashes.


def test_no_archive_is_named(tmp_path: Path) -> None:
    """A directory without a manifest is no archive."""
    assert not is_archive(tmp_path)
    with pytest.raises(SessionError, match="no archive"):
        Archive(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": "x"}', "\xff"])
def test_a_manifest_of_other_form_is_damaged(tmp_path: Path, text: str) -> None:
    """What is no manifest is not guessed at."""
    (tmp_path / manifest.NAME).write_text(text, encoding="latin-1")
    with pytest.raises(LogDamaged):
        Archive(tmp_path)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    """An archive of a later version is not read."""
    manifest.save(tmp_path, Manifest(name="x", kind="session", format=manifest.FORMAT + 1))
    with pytest.raises(NewerVersion):
        Archive(tmp_path)


def test_there_is_one_writer(path: Path) -> None:
    """A second writer is refused while the first has the archive open; readers are not."""
    with ArchiveWriter(path):
        with pytest.raises(StoreLocked):
            ArchiveWriter(path)
        assert list(Archive(path).turns())
    again = ArchiveWriter(path)
    again.close()
    again.close()


def test_another_name_or_kind_is_refused(path: Path) -> None:
    """A recording is not continued as a session, nor one session as another."""
    for options in ({"kind": "recording"}, {"name": "b"}):
        with pytest.raises(ConfigError, match="this is the session a"):
            ArchiveWriter(path, **options)  # type: ignore[arg-type]
    ArchiveWriter(path, name="a").close()


def test_other_files_are_not_mixed_with(tmp_path: Path) -> None:
    """A directory that holds something else does not become an archive."""
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match=r"letter\.txt"):
        ArchiveWriter(tmp_path)
    ArchiveWriter(tmp_path / "a").close()
    assert Archive(tmp_path / "a").head == START


def test_only_what_a_crash_left_is_removed(path: Path, log: list[Sealed]) -> None:
    """Drafts and files of an unfinished span go; anything else in the directory stays."""
    left = [path / "manifest.json.draft", path / "day=2023-11-15" / "000004-note.parquet"]
    left.append(path / "day=2023-11-15" / "000004-quote.parquet.draft")
    own = [path / "notes.txt", path / "day=2023-11-15" / "mine.parquet"]
    for file in (*left, *own):
        file.write_text("")
    ArchiveWriter(path).close()
    assert not any(file.exists() for file in left)
    assert all(file.exists() for file in own)
    assert list(Archive(path).turns()) == log


def test_an_archive_without_its_manifest_is_left_alone(path: Path) -> None:
    """Files whose manifest is gone are neither removed nor written over."""
    (path / manifest.NAME).unlink()
    files_before = sorted(path.rglob("*"))
    with pytest.raises(ConfigError, match="restore the manifest"):
        ArchiveWriter(path)
    assert sorted(path.rglob("*")) == files_before


def test_an_error_gives_up_what_is_buffered(tmp_path: Path, log: list[Sealed]) -> None:
    """A writer that leaves its block by an error keeps the finished spans only."""
    writer = ArchiveWriter(tmp_path / "a")
    append(writer, log[:10])
    writer.flush()
    with pytest.raises(WriterFenced), writer:
        append(writer, [log[10], log[20]])
    assert list(Archive(tmp_path / "a").turns()) == log[:10]


class Crashed(BaseException):
    """The process died."""


def crashing(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Die at the given step: before a file is written, or between its draft and its name."""
    real_write, real_sync = files.write, files.sync_directory
    steps = iter(range(10_000))

    def tick() -> None:
        if next(steps) == step:
            raise Crashed

    def write(file: Path, content: bytes) -> None:
        tick()
        file.parent.mkdir(exist_ok=True)
        file.with_name(file.name + files.DRAFT).write_bytes(content[: len(content) // 2])
        tick()
        real_write(file, content)

    def sync(path: Path) -> None:
        tick()
        real_sync(path)

    monkeypatch.setattr(files, "write", write)
    monkeypatch.setattr(files, "sync_directory", sync)


@pytest.mark.parametrize("step", range(24))
def test_a_crash_loses_no_finished_span(
    path: Path, log: list[Sealed], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Wherever the writer dies, what was flushed is read; a new writer cleans up and goes on."""
    more = chained([(1, [quote(1, 2), delta((1, 2), ())], [])] * 40, Archive(path).head)
    with monkeypatch.context() as patched:
        writer = ArchiveWriter(path, span_events_max=30)
        crashing(patched, step)
        with pytest.raises(Crashed):
            append(writer, more)
        writer.abandon()
    kept = list(Archive(path).turns())
    assert len(kept) >= len(log)
    assert kept == [*log, *more][: len(kept)]
    archive = write(path, [*log, *more][len(kept) :])
    assert list(archive.turns()) == [*log, *more]
    named = {file.path for span in archive.manifest.spans for file in span.files}
    assert {str(each.relative_to(path)) for each in path.glob("day=*/*")} == named


def test_a_full_disk_is_named(
    path: Path, log: list[Sealed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room, or no permission, is named; once there is room, nothing is lost."""
    more = chained([(1, [quote(1, 2)], [])] * 3, Archive(path).head)
    writer = ArchiveWriter(path)
    append(writer, more)
    for number, kind in ((28, LogFull), (13, LogUnavailable)):
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", failing(number))
            with pytest.raises(kind, match="cannot be written"):
                writer.flush()
    writer.close()
    assert list(Archive(path).turns()) == [*log, *more]


def failing(number: int) -> Callable[[int], None]:
    """A system call that fails with this error."""

    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    """A file where the directory should be is named."""
    (tmp_path / "a").write_text("")
    with pytest.raises(LogUnavailable):
        ArchiveWriter(tmp_path / "a")


def test_a_value_without_a_column_is_named(tmp_path: Path) -> None:
    """A number of more than 64 bits, or a price without a size, is refused with turn and field."""
    for event, field in ((delta((1, 2, 3), ()), "bids"), (quote(2**63, 1), "bid")):
        sealed = seal(START, Nanos(1), [event], [])
        writer = ArchiveWriter(tmp_path / field)
        writer.append(sealed)
        with pytest.raises(BadInput, match=field) as caught:
            writer.flush()
        assert "turns 1 to 1" in caught.value.where
        writer.abandon()


def test_a_span_of_many_blocks_comes_back(tmp_path: Path) -> None:
    """What is packed and read in several blocks joins without a seam."""
    log = chained([(1, [quote(number, number + 1)] * 100, []) for number in range(1, 400)])
    assert sum(each.turn.size for each in log) > 2 * PACK_EVENTS_MAX > 4 * READ_EVENTS_MAX
    archive = write(tmp_path / "a", log)
    assert len(archive.manifest.spans) == 1
    assert list(archive.turns()) == log


def test_blocks_before_the_wanted_turn_are_stepped_over(tmp_path: Path) -> None:
    """A span is read from the block that holds the wanted turn on, whatever stood before it."""
    place: tuple[int, list[Any], list[Any]] = (1, [], [example(KINDS["order.place"])])
    log = chained([place if n in {60, 160} else (1, [quote(1, 2)] * 100, []) for n in range(200)])
    archive = write(tmp_path / "a", log)
    for after in range(0, 201, 20):
        reader = archive._reader(archive.manifest.spans[0])
        turns = list(reader.turns(START, TurnNumber(after)))
        skipped = len(log) - len(turns)
        assert after - READ_EVENTS_MAX // 100 <= skipped <= after
        assert turns == log[skipped:]
        assert reader.end(START) == archive.head
        assert list(archive.turns(TurnNumber(after))) == log[after:]


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Ten times the turns are written and read in the same memory."""
    peak_of(tmp_path / "warm", 300)
    short, long = (peak_of(tmp_path / str(turns), turns) for turns in (600, 4_000))
    assert long[0] < 1.3 * short[0]
    assert long[1] < 1.3 * short[1]


def peak_of(path: Path, turns: int) -> tuple[int, int]:
    """Arrow's bytes and Python's blocks, at their highest while an archive is written and read."""
    before = sys.getallocatedblocks()
    arrow = blocks = 0
    with ArchiveWriter(path, span_events_max=300) as writer:
        for _ in range(turns):
            writer.append(seal(writer.head, Nanos(writer.head.at + 1), [quote(1, 2)], []))
            arrow = max(arrow, pa.total_allocated_bytes())
            blocks = max(blocks, sys.getallocatedblocks() - before)
    for _ in Archive(path).turns():
        arrow = max(arrow, pa.total_allocated_bytes())
        blocks = max(blocks, sys.getallocatedblocks() - before)
    return arrow, blocks


def test_every_kind_has_columns() -> None:
    """A field of any kind of event has a column, or a pair."""
    for kind in KINDS.values():
        assert [field.name for field in fields(kind)] == list(kind.__struct_fields__)
