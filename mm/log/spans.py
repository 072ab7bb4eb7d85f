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
from hashlib import sha256
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mm.errors import ChainBroken, LogDamaged, SequenceHole
from mm.events.base import Body
from mm.events.codec import decode, encode
from mm.events.units import TurnNumber
from mm.events.vocabulary import tag_of
from mm.log.chain import Head, Sealed
from mm.log.columns import PLACE, TURNS, Ints, Rows, from_ints, has_places, table_of, to_ints

PACK_EVENTS_MAX: Final = 16_384
PACK_BYTES_MAX: Final = 2 * 1024 * 1024
READ_EVENTS_MAX: Final = 4_096
READ_TURNS_MAX: Final = 200
TURN_COLUMNS: Final = pa.schema(
    [
        ("number", pa.int64()),
        ("version", pa.int64()),
        ("first", pa.int64()),
        ("time", pa.int64()),
        ("n_facts", pa.int64()),
        ("n_decisions", pa.int64()),
        ("orders", pa.bool_()),
        ("hash", pa.binary()),
        ("payload", pa.binary()),
    ]
)
REMEDY: Final = "restore the file from a copy, or fill the archive anew from the log"
Link = tuple[bytes, bytes]
"""The hash of the turn before, and of the last one that touched orders where the turn does."""
_encode_raw: Final = msgspec.msgpack.Encoder().encode


class SpanBuilder:
    """Turns on their way into tables; objects become columns a block at a time."""

    def __init__(self) -> None:
        """Start empty."""
        self._block: list[Sealed] = []
        self._chunks: dict[str, list[pa.Table]] = {}
        self.events = 0
        self.bytes = 0
        self._pack_events = PACK_EVENTS_MAX
        self._pack_bytes = PACK_BYTES_MAX

    def add(self, sealed: Sealed) -> None:
        """Take the next turn; raises `BadInput` where an earlier one does not fit its columns."""
        self._block.append(sealed)
        self.events += sealed.turn.size
        self.bytes += len(sealed.payload)
        if self.events >= self._pack_events or self.bytes >= self._pack_bytes:
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
        self._block = []
        self._pack_events = self.events + PACK_EVENTS_MAX
        self._pack_bytes = self.bytes + PACK_BYTES_MAX


def _by_kind(block: Sequence[Sealed]) -> dict[type[Body], tuple[list[int], list[Body]]]:
    kinds: dict[type[Body], tuple[list[int], list[Body]]] = {}
    for sealed in block:
        turn = sealed.turn
        for number, event in enumerate((*turn.facts, *turn.decisions), turn.first):
            numbers, events = kinds.get(type(event)) or kinds.setdefault(type(event), ([], []))
            numbers.append(number)
            events.append(event)
    return kinds


def _place(turns: pa.Table, numbers: Ints) -> dict[str, Ints]:
    firsts, turn, time = (to_ints(turns[name]) for name in ("first", "number", "time"))
    row = np.searchsorted(firsts, numbers, side="right") - 1
    return dict(zip(PLACE, (numbers, turn[row], numbers - firsts[row], time[row]), strict=True))


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
        """Take the tables by tag; `where` names the span. Raises `LogDamaged`."""
        self._tables = tables
        self._where = where
        for tag, table in tables.items():
            if tag != TURNS and not has_places(table):
                raise self._damaged(f"no file of {tag}: it does not say where its rows belong")

    def turns(self, head: Head, after: TurnNumber) -> Iterator[Sealed]:
        """The turns of the span, which follows `head`: numbers, times, hashes and links checked.

        Blocks that end at or before `after` are stepped over: the file's hash vouches for them.
        """
        turns, links = self._links(head)
        numbers, starts = to_ints(turns["number"]), [start for start, _ in _blocks(turns)]
        row = next((row for row in reversed(starts) if numbers[row] <= after + 1), 0)
        return self._rebuilt(turns.slice(row), links[row:], self._tables)

    def end(self, head: Head) -> Head:
        """Where the log stands after the span, which follows `head`, as its own rows say."""
        turns = self._turns(head)
        if not turns.num_rows:
            return head
        last = turns.slice(turns.num_rows - 1).to_pylist()[0]
        touching = np.flatnonzero(turns["orders"].to_pylist())
        orders = turns["hash"][int(touching[-1])].as_py() if len(touching) else head.orders_hash
        return Head(
            number=last["number"],
            events=last["first"] + last["n_facts"] + last["n_decisions"] - 1,
            at=last["time"],
            hash=last["hash"],
            orders_hash=orders,
        )

    def order_turns(self, head: Head) -> Iterator[Sealed]:
        """Only the turns that touch orders or control; the rest is not even unpacked."""
        turns, links = self._links(head)
        rows = [row for row, touches in enumerate(turns["orders"].to_pylist()) if touches]
        numbers = to_ints(turns["number"])[rows]
        events = {
            tag: _chosen(table, np.isin(to_ints(table["turn"]), numbers))
            for tag, table in self._tables.items()
            if tag != TURNS
        }
        chosen = _chosen(turns, np.isin(to_ints(turns["number"]), numbers))
        return self._rebuilt(chosen, [links[row] for row in rows], events)

    def _links(self, head: Head) -> tuple[pa.Table, list[Link]]:
        """The turns, and the two hashes that each of them names."""
        turns, links = self._turns(head), []
        before, orders = head.hash, head.orders_hash
        hashes, touching = turns["hash"].to_pylist(), turns["orders"].to_pylist()
        for digest, touches in zip(hashes, touching, strict=True):
            links.append((before, orders if touches else b""))
            before, orders = digest, digest if touches else orders
        return turns, links

    def _turns(self, head: Head) -> pa.Table:
        """The table of turns, which follow one another and `head` without a gap."""
        turns = self._tables[TURNS]
        try:
            turns = turns.select(TURN_COLUMNS.names).cast(TURN_COLUMNS).combine_chunks()
        except (KeyError, ValueError) as error:
            raise self._damaged(f"no file of turns: {error}") from error
        if any(turns[name].null_count for name in TURN_COLUMNS.names if name != "payload"):
            raise self._damaged("a turn lacks a value")
        self._check_numbers(to_ints(turns["number"]), head)
        self._check_places(turns, head)
        return turns

    def _check_numbers(self, numbers: Ints, head: Head) -> None:
        wrong = np.flatnonzero(numbers != np.arange(len(numbers)) + head.number + 1)
        if len(wrong):
            row = int(wrong[0])
            raise SequenceHole(
                f"turn {head.number + 1 + row} is missing: turn {int(numbers[row])} follows",
                where=self._where,
                remedy=REMEDY,
            )

    def _check_places(self, turns: pa.Table, head: Head) -> None:
        """Each turn begins at the event, and not before the time, where the one before it ended."""
        sizes = to_ints(turns["n_facts"]) + to_ints(turns["n_decisions"])
        firsts = head.events + 1 + np.cumsum(sizes) - sizes
        times = np.concatenate(([head.at], to_ints(turns["time"])))
        wrong = np.flatnonzero((to_ints(turns["first"]) != firsts) | (np.diff(times) < 0))
        if len(wrong):
            number = head.number + 1 + int(wrong[0])
            raise ChainBroken(
                f"turn {number} does not begin where turn {number - 1} ends",
                where=self._where,
                remedy=REMEDY,
            )

    def _rebuilt(
        self, turns: pa.Table, links: list[Link], events: Mapping[str, pa.Table]
    ) -> Iterator[Sealed]:
        kinds = [
            Rows(table, where=f"{self._where}, {tag}")
            for tag, table in events.items()
            if tag != TURNS and table.num_rows
        ]
        for start, stop in _blocks(turns):
            yield from self._block(turns.slice(start, stop - start), links[start:stop], kinds)

    def _block(
        self, block: pa.Table, links: Sequence[Link], kinds: Sequence[Rows]
    ) -> Iterator[Sealed]:
        facts, decisions = (to_ints(block[name]) for name in ("n_facts", "n_decisions"))
        starts = np.concatenate(([0], np.cumsum(facts + decisions)))
        slots = self._slots(to_ints(block["number"]), starts, kinds)
        bounds = (starts[:-1], starts[:-1] + facts, starts[1:])
        columns = [block[name].to_pylist() for name in _ROW] + [each.tolist() for each in bounds]
        rows = list(zip(*columns, links, strict=True))
        for at in range(0, len(rows), READ_TURNS_MAX):
            yield from self._sealed(rows[at : at + READ_TURNS_MAX], slots)

    def _sealed(self, rows: list[Any], slots: list[Any]) -> list[Sealed]:
        """Rows as the turns that were written; few at a time stay in a processor's cache."""
        payloads: list[bytes] = [
            kept
            or _encode_raw(
                (version, number, first, *link, time, slots[at:middle], slots[middle:to])
            )
            for version, number, first, time, _, kept, at, middle, to, link in rows
        ]
        hashes = [sha256(payload).digest() for payload in payloads]
        for digest, row in zip(hashes, rows, strict=True):
            if digest != row[4]:
                raise self._damaged(f"turn {row[1]} is not what was hashed when it was written")
        turns = map(decode, payloads)
        return [Sealed(*each) for each in zip(turns, payloads, hashes, strict=True)]

    def _slots(self, numbers: Ints, starts: Ints, kinds: Sequence[Rows]) -> list[Any]:
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


_ROW: Final = ("version", "number", "first", "time", "hash", "payload")


def _chosen(table: pa.Table, chosen: npt.NDArray[np.bool_]) -> pa.Table:
    return table.take(from_ints(np.flatnonzero(chosen)))


def _blocks(turns: pa.Table) -> Iterator[tuple[int, int]]:
    """Where to cut, so that a block has at most `READ_EVENTS_MAX` events, but one turn at least."""
    ends = np.cumsum(to_ints(turns["n_facts"]) + to_ints(turns["n_decisions"]))
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + READ_EVENTS_MAX, side="right"))
        stop = max(stop, start + 1)
        yield start, stop
        start = stop
