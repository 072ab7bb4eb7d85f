"""A window begins with the market as it stood: shown against the pass, which played it all."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from mm.apps.sweep_window import FOLDED, clip_of, standing, windows_of
from mm.errors import ConfigError
from mm.events.units import Nanos
from mm.log.row_tables import Channel, Rate, Tables
from mm.log.row_writer import write_rows
from mm.log.rows import ROW, Flag, Kind, Rows
from mm.projections import ladder
from mm.sim.compiled_run import CompiledRun, Memory
from tests.build import instrument
from tests.ladder import next_key
from tests.ladder import shown as ladder_shown

if TYPE_CHECKING:
    from mm.log.row_file import RowFile

START: Final = 1_700_000_000_000_000_000
EVENTS: Final = 300
FIELDS: Final = ("has_depth", "has_quote", "lost", "down")
Said = tuple[Kind, int, int, Flag, int]
TOUCH: Final = ("bid", "bid_size", "ask", "ask_size")


def market(seed: int, instruments: int = 2) -> Rows:
    """A stream of every kind of row that moves a book, of two instruments in turns."""
    random = Random(seed)
    rows: list[tuple[Any, ...]] = []
    quoted = [False] * instruments
    for number in range(EVENTS):
        at, place = START + number * 1_000_000, random.randrange(instruments)
        said = event(random, quoted=quoted[place])
        quoted[place] = leading(said, quoted=quoted[place])
        for kind, price, size, flags, channel in said:
            rows.append((at, at - 500, price, size, place, int(kind), int(flags), channel))
        last = rows[-1]
        rows[-1] = (*last[:6], last[6] | Flag.TURN, last[7])
    return np.array(rows, ROW)


def leading(said: list[Said], *, quoted: bool) -> bool:
    """Whether the quote is the touch after this event."""
    match said[-1][0]:
        case Kind.QUOTE_ASK:
            return True
        case Kind.SETTLED:
            return quoted and bool(said[-1][3] & Flag.QUOTE_LEADS)
        case Kind.LOST | Kind.DOWN:
            return False
    return quoted


def event(random: Random, *, quoted: bool) -> list[Said]:
    """One event: depth mostly, whole books, quotes, prints, and what goes wrong now and then."""
    kind = random.choices(
        ("depth", "whole", "quote", "print", "wrong", "rate"), (40, 6, 20, 10, 4, 4)
    )
    leads = Flag.QUOTE_LEADS if quoted and random.random() < 0.6 else Flag(0)
    match kind[0]:
        case "depth" | "whole":
            levels = [level(random) for _ in range(random.randrange(1, 12))]
            head = [(Kind.CLEAR, 0, 0, Flag(0), 0)] if kind[0] == "whole" else []
            return [*head, *levels, (Kind.SETTLED, 0, 0, Flag.EVENT | leads, 0)]
        case "quote":
            bid, ask = random.randrange(90, 100), random.randrange(101, 110)
            return [
                (Kind.QUOTE_BID, bid, random.randrange(0, 9), Flag(0), 0),
                (Kind.QUOTE_ASK, ask, random.randrange(0, 9), Flag.EVENT, 0),
            ]
        case "print":
            return [(random.choice((Kind.BOUGHT, Kind.SOLD)), 100, 1, Flag.EVENT, 0)]
        case "rate":
            return [
                (random.choice((Kind.MARK, Kind.FUNDING)), random.randrange(2), 0, Flag.EVENT, 0)
            ]
    wrong = random.choice((Kind.LOST, Kind.DOWN, Kind.UP, Kind.RESYNCED, Kind.RESYNCED))
    return [(wrong, 0, 0, Flag.EVENT, random.randrange(3))]


def level(random: Random) -> Said:
    """A level near the market or far from it, often one that goes."""
    size = random.choice((0, 0, random.randrange(1, 50)))
    away = random.choice((1, 3, 8, 70_000))
    if random.random() < 0.5:
        return Kind.BID, 100_000 - random.randrange(away), size, Flag(0), 0
    return Kind.ASK, 100_001 + random.randrange(away), size, Flag(0), 0


def played(*blocks: Rows) -> Memory:
    """The pass without desks, after these rows."""
    memory = Memory(2, 0, two_clocks=False)
    run = CompiledRun(memory)
    for block in blocks:
        run.feed(block)
    return memory


def shown(memory: Memory) -> list[Any]:
    """All that a desk could see of both books."""
    found: list[Any] = []
    for book in range(2):
        market = memory.markets[book]
        seen = not market["lost"] and (market["has_depth"] or market["has_quote"])
        touch = [int(market[name]) for name in TOUCH] if seen else []
        sides = [levels(memory, book, side) for side in range(2)]
        found.append(([int(market[name]) for name in FIELDS], touch, sides))
    return found


def levels(memory: Memory, book: int, side: int) -> list[tuple[int, int]]:
    """Every level of a side, best first."""
    found, key = [], int(memory.ladder.heads[book, ladder.BEST + side])
    while key != ladder.NONE:
        price = key if side == 0 else -key
        found.append((price, int(ladder_shown(memory.address, book, side, price))))
        key = int(next_key(memory.address, book, side, key))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_what_stands_is_what_the_pass_would_have(seed: int) -> None:
    """Levels, touch, losses and channels are those of a run from the beginning, and stay so."""
    rows = market(seed)
    turns = np.flatnonzero(rows["flags"] & Flag.TURN) + 1
    for start in turns[:: len(turns) // 5].tolist():
        (stood,) = standing(rows, [start], [int(rows["at"][start - 1]) + 1], 2)
        assert shown(played(stood)) == shown(played(rows[:start]))
        assert shown(played(stood, rows[start:])) == shown(played(rows))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folding a few rows at a time, and several windows in one go, gives the same rows."""
    rows = market(7)
    starts = [100, 400, 700]
    times = [int(rows["at"][start]) for start in starts]
    whole = [each.tobytes() for each in standing(rows, starts, times, 2)]
    alone = [
        next(standing(rows, [start], [at], 2)).tobytes()
        for start, at in zip(starts, times, strict=True)
    ]
    monkeypatch.setattr("mm.apps.sweep_window.FOLDED", 7)
    assert len(rows) < FOLDED
    assert [each.tobytes() for each in standing(rows, starts, times, 2)] == whole == alone


@pytest.fixture
def file(tmp_path: Path) -> RowFile:
    """The rows of one instrument, in a file."""
    tables = Tables(
        instruments=[instrument()],
        channels=[Channel(0, number, f"channel {number}") for number in range(3)],
        marks=[Decimal(1), Decimal(2)],
        rates=[Rate(Decimal("0.001"), Nanos(START)), Rate(Decimal("0.002"), Nanos(START))],
    )
    return write_rows(tmp_path / "market.arrow", tables, iter([market(3, 1)]))


def test_windows_share_out_the_time(file: RowFile) -> None:
    """Every row is in one window, in order; each begins where the one before ended."""
    windows = windows_of("market", file, 3)
    assert [each.number for each in windows] == [0, 1, 2]
    assert (windows[0].first, windows[-1].last) == (file.header.first, file.header.last)
    rows = file.load()
    for window, later in pairwise(windows):
        assert later.first == window.last + 1
        assert window.stop == later.start
        assert rows["at"][window.stop - 1] <= window.last < rows["at"][window.stop]
    played_rows = np.concatenate([rows[each.start : each.stop] for each in windows])
    assert played_rows.tobytes() == rows.tobytes()


def test_a_clip_is_a_file_of_its_rows(file: RowFile) -> None:
    """Its header counts its own rows, whatever stands comes first and at the window's time."""
    window = windows_of("market", file, 2)[1]
    clip = clip_of(window)
    stood, *blocks = clip.blocks(50)
    rows = file.load()[window.start : window.stop]
    assert np.concatenate(blocks).tobytes() == rows.tobytes()
    assert set(stood["at"].tolist()) == {window.first}
    assert stood["venue"].max() <= rows["venue"][0]
    assert stood["flags"][-1] & Flag.TURN
    assert clip.header.rows == len(rows)
    assert sum(clip.header.kinds) == len(rows)


def test_rows_that_changed_are_refused(file: RowFile) -> None:
    """Another file under the same name is not what the sweep was planned on."""
    (window,) = windows_of("market", file)
    write_rows(file.path, file.tables, iter([market(4, 1)]))
    with pytest.raises(ConfigError, match="changed"):
        clip_of(window)
