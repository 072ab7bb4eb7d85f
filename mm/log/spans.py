"""A span of turns as tables, one for each kind of event and one for the turns, and back.

The table `turns` keeps of each turn what its events do not say, and its hash. The links are not
stored, for they are the hashes of other rows: a turn is rebuilt with the hash of the row before
it, encoded, and must give its own hash, so that nothing in a span can be changed, lost or moved
unseen. A turn whose bytes this version would write otherwise, since an older one wrote it, keeps
them beside its columns. Reading is streamed in blocks: memory is bounded by the tables and one
block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mm.errors import LogDamaged, SequenceHole
from mm.events.base import Body
from mm.events.codec import decode, digest_of, encode
from mm.events.vocabulary import tag_of
from mm.log.chain import Head, Sealed
from mm.log.columns import PLACE, TURNS, Rows, table_of

PACK_EVENTS_MAX: Final = 16_384
PACK_BYTES_MAX: Final = 2 * 1024 * 1024
READ_EVENTS_MAX: Final = 4_096
TURN_COLUMNS: Final = pa.schema(
    [
        ("number", pa.int64()),
        ("version", pa.int64()),
        ("first", pa.int64()),
        ("time", pa.int64()),
        ("n_facts", pa.int64()),
        ("n_decisions", pa.int64()),
        ("orders", pa.bool_()),
        ("hash", pa.binary(32)),
        ("payload", pa.binary()),
    ]
)
REMEDY: Final = "restore the file from a copy, or fill the archive anew from the log"
_encoder: Final = msgspec.msgpack.Encoder()


class SpanBuilder:
    """Turns on their way into tables; objects become columns a block at a time."""

    def __init__(self) -> None:
        """Start empty."""
        self._block: list[Sealed] = []
        self._block_events = 0
        self._block_bytes = 0
        self._chunks: dict[str, list[pa.Table]] = {}
        self.events = 0
        self.bytes = 0

    def add(self, sealed: Sealed) -> None:
        """Take the next turn; raises `BadInput` where an earlier one does not fit its columns."""
        self._block.append(sealed)
        self._block_events += sealed.turn.size
        self._block_bytes += len(sealed.payload)
        self.events += sealed.turn.size
        self.bytes += len(sealed.payload)
        if self._block_events >= PACK_EVENTS_MAX or self._block_bytes >= PACK_BYTES_MAX:
            self._pack()

    def tables(self) -> dict[str, pa.Table]:
        """Everything taken so far by tag, the turns last."""
        self._pack()
        tags = sorted(self._chunks.keys() - {TURNS})
        return {tag: pa.concat_tables(self._chunks[tag]) for tag in [*tags, TURNS]}

    def _pack(self) -> None:
        if not self._block:
            return
        turns = _turn_table(self._block)
        for kind, (numbers, events) in _by_kind(self._block).items():
            place = _place(turns, np.array(numbers, np.int64))
            self._chunks.setdefault(tag_of(kind), []).append(table_of(kind, place, events))
        self._chunks.setdefault(TURNS, []).append(turns)
        self._block, self._block_events, self._block_bytes = [], 0, 0


def _by_kind(block: Sequence[Sealed]) -> dict[type[Body], tuple[list[int], list[Body]]]:
    kinds: dict[type[Body], tuple[list[int], list[Body]]] = {}
    for sealed in block:
        turn = sealed.turn
        for number, event in enumerate((*turn.facts, *turn.decisions), turn.first):
            numbers, events = kinds.get(type(event)) or kinds.setdefault(type(event), ([], []))
            numbers.append(number)
            events.append(event)
    return kinds


def _place(turns: pa.Table, numbers: Any) -> dict[str, Any]:
    firsts = turns["first"].to_numpy()
    row = np.searchsorted(firsts, numbers, side="right") - 1
    columns = (numbers, turns["number"].to_numpy()[row], numbers - firsts[row])
    return dict(zip(PLACE, (*columns, turns["time"].to_numpy()[row]), strict=True))


def _turn_table(block: Sequence[Sealed]) -> pa.Table:
    turns = [sealed.turn for sealed in block]
    columns = [
        [turn.number for turn in turns],
        [turn.version for turn in turns],
        [turn.first for turn in turns],
        [turn.at for turn in turns],
        [len(turn.facts) for turn in turns],
        [len(turn.decisions) for turn in turns],
        [bool(turn.previous_orders) for turn in turns],
        [sealed.hash for sealed in block],
        [None if encode(each.turn) == each.payload else each.payload for each in block],
    ]
    return pa.table(columns, schema=TURN_COLUMNS)


class SpanReader:
    """The tables of one span, read back as the turns they were made of."""

    def __init__(self, tables: Mapping[str, pa.Table], *, where: str) -> None:
        """Take the tables by tag; `where` names the span in errors."""
        self._tables = tables
        self._where = where

    def turns(self, head: Head) -> Iterator[Sealed]:
        """Every turn of the span, which follows `head`."""
        return self._rebuilt(self._links(head), self._tables)

    def order_turns(self, head: Head) -> Iterator[Sealed]:
        """Only the turns that touch orders or control; the rest is not even unpacked."""
        links = self._links(head)
        links = links.filter(links["orders"])
        numbers = links["number"].combine_chunks()
        events = {
            tag: table.filter(pc.is_in(table["turn"], numbers))
            for tag, table in self._tables.items()
            if tag != TURNS
        }
        return self._rebuilt(links, events)

    def _links(self, head: Head) -> pa.Table:
        """The turns with the hashes that each of them names."""
        turns = self._tables[TURNS]
        try:
            turns = turns.select(TURN_COLUMNS.names).cast(TURN_COLUMNS).combine_chunks()
        except (KeyError, ValueError) as error:
            raise self._damaged(f"no file of turns: {error}") from error
        if any(turns[name].null_count for name in TURN_COLUMNS.names if name != "payload"):
            raise self._damaged("a turn lacks a value")
        self._check_numbers(turns["number"].to_numpy(), head)
        hashes = turns["hash"].to_pylist()
        orders, before = [], head.orders_hash
        for touches, digest in zip(turns["orders"].to_pylist(), hashes, strict=True):
            orders.append(before if touches else b"")
            before = digest if touches else before
        previous = pa.array([head.hash, *hashes[:-1]], pa.binary())
        return turns.append_column("previous", previous).append_column(
            "previous_orders", pa.array(orders, pa.binary())
        )

    def _check_numbers(self, numbers: Any, head: Head) -> None:
        wrong = np.flatnonzero(numbers != np.arange(len(numbers)) + head.number + 1)
        if len(wrong):
            row = int(wrong[0])
            raise SequenceHole(
                f"turn {head.number + 1 + row} is missing: turn {int(numbers[row])} follows",
                where=self._where,
                remedy=REMEDY,
            )

    def _rebuilt(self, links: pa.Table, events: Mapping[str, pa.Table]) -> Iterator[Sealed]:
        kinds = [
            Rows(table, where=f"{self._where}, {tag}")
            for tag, table in events.items()
            if tag != TURNS and table.num_rows
        ]
        for block in _blocks(links):
            yield from self._block(block, kinds)

    def _block(self, block: pa.Table, kinds: Sequence[Rows]) -> Iterator[Sealed]:
        facts, decisions = (block[name].to_numpy() for name in ("n_facts", "n_decisions"))
        starts = np.concatenate(([0], np.cumsum(facts + decisions)))
        slots = self._slots(block["number"].to_numpy(), starts, kinds)
        columns = [block[name].to_pylist() for name in _ROW]
        bounds = zip(starts.tolist(), (starts[:-1] + facts).tolist(), starts[1:].tolist(),
                     strict=False)  # fmt: skip
        for (*row, digest, kept), (start, middle, stop) in zip(
            zip(*columns, strict=True), bounds, strict=True
        ):
            payload = kept or _encoder.encode((*row, slots[start:middle], slots[middle:stop]))
            if digest_of(payload) != digest:
                raise self._damaged(f"turn {row[1]} is not what was hashed when it was written")
            yield Sealed(decode(payload), payload, digest)

    def _slots(self, numbers: Any, starts: Any, kinds: Sequence[Rows]) -> list[Any]:
        """The block's events, each in its place; what is missing stays None and breaks the hash."""
        slots: list[Any] = [None] * int(starts[-1])
        sizes = np.diff(starts)
        for rows in kinds:
            low, high = np.searchsorted(rows.turn, [numbers[0], numbers[-1] + 1])
            at = np.searchsorted(numbers, rows.turn[low:high])
            index = rows.index[low:high]
            if (index < 0).any() or (index >= sizes[at]).any():
                raise self._damaged(f"turns {numbers[0]} to {numbers[-1]} have events too many")
            for slot, row in zip((starts[at] + index).tolist(), rows.read(low, high), strict=True):
                slots[slot] = row
        return slots

    def _damaged(self, what: str) -> LogDamaged:
        return LogDamaged(f"{self._where}: {what}", where=self._where, remedy=REMEDY)


_ROW: Final = (
    "version", "number", "first", "previous", "previous_orders", "time", "hash", "payload"
)  # fmt: skip


def _blocks(turns: pa.Table) -> Iterator[pa.Table]:
    """Slices of at most `READ_EVENTS_MAX` events."""
    sizes = turns["n_facts"].to_numpy() + turns["n_decisions"].to_numpy()
    ends = np.cumsum(sizes)
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + READ_EVENTS_MAX, side="right"))
        stop = max(stop, start + 1)
        yield turns.slice(start, stop - start)
        start = stop
