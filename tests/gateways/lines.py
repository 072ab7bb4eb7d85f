"""Captures for tests: a small seeded market, and the lines its collector would have written."""

import gzip
import json
import os
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mm.events.instrument import InstrumentDefined
from mm.events.turn import Turn
from mm.gateways.capture_import import CaptureImport
from mm.gateways.definitions import definitions
from mm.gateways.recorder import Recorder
from mm.gateways.totals import Problems
from mm.log.chain import Sealed

RECORDINGS = Path(os.environ.get("MM_RECORDINGS", Path(__file__).parents[3] / "shared" / "data"))
USDM_2024 = "fix-binance-usdm-btcusdt-20240808.gz"
SPOT_2024 = "fix-binance-spot-btcusdt-20240808_09.gz"
USDM_2023 = "fix-binance-usdm-btcusdt-20230404_05.gz"
START = 1_723_161_255_000_000_000
Levels = dict[int, int]
State = tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int]]]


def recording(name: str) -> Path:
    """A file of recorded data; the test is skipped where it is absent."""
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"{name} is not in {RECORDINGS}: set MM_RECORDINGS")
    return path


def spot() -> InstrumentDefined:
    """BTCUSDT at Binance spot, as instrument 0."""
    return definitions([])["binance", "BTCUSDT"]


def usdm() -> InstrumentDefined:
    """BTCUSDT at Binance USD-M, as instrument 0."""
    return definitions([])["binance_usdm", "BTCUSDT"]


class Turns:
    """A sink that keeps the turns."""

    def __init__(self) -> None:
        """Start empty."""
        self.sealed: list[Sealed] = []

    def append(self, sealed: Sealed) -> None:
        """Keep one."""
        self.sealed.append(sealed)

    @property
    def turns(self) -> list[Turn]:
        """What was kept."""
        return [each.turn for each in self.sealed]

    @property
    def facts(self) -> list[Any]:
        """All facts in order."""
        return [fact for turn in self.turns for fact in turn.facts]


def imported(*paths: Path, strict: bool = False) -> tuple[CaptureImport, Turns]:
    """Import files; returns the import and what it recorded."""
    turns = Turns()
    source = CaptureImport(paths, definitions([]), Problems(strict=strict))
    source.run(Recorder(turns))
    return source, turns


def write(path: Path, lines: Sequence[bytes], *, members: int = 0) -> Path:
    """Write lines to a file, plain or as so many gzip members."""
    if not members:
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path
    size = -(-len(lines) // members)
    parts = [lines[start : start + size] for start in range(0, len(lines), size)]
    path.write_bytes(b"".join(gzip.compress(b"\n".join(part) + b"\n") for part in parts))
    return path


def line(at: int, stream: str, data: dict[str, Any]) -> bytes:
    """A frame of a combined stream with its receive time."""
    frame = {"stream": f"btcusdt@{stream}", "data": data}
    return f"{at} {json.dumps(frame, separators=(',', ':'))}".encode()


def price(ticks: int) -> str:
    """A price in ticks of 0.1 as the venue writes it."""
    return str(ticks * Decimal("0.10"))


def size(lots: int) -> str:
    """A size in lots of 0.001 as the venue writes it."""
    return str(lots * Decimal("0.001"))


def rows(levels: Levels) -> list[list[str]]:
    """Levels as the venue writes them."""
    return [[price(ticks), size(lots)] for ticks, lots in levels.items()]


class Market:
    """A seeded USD-M or spot book, its diffs, and every state it was in by update id."""

    def __init__(self, seed: int, *, chained: bool = True) -> None:
        """Begin with ten levels a side."""
        self._random = random.Random(seed)
        self._chained = chained
        self.mid = 600_000
        self.bids: Levels = {self.mid - n: 1_000 + n for n in range(1, 11)}
        self.asks: Levels = {self.mid + n: 2_000 + n for n in range(1, 11)}
        self.update = 1_000
        self.states: dict[int, State] = {self.update: self.state}
        self.at = START

    @property
    def state(self) -> State:
        """The book now."""
        return frozenset(self.bids.items()), frozenset(self.asks.items())

    @property
    def top(self) -> tuple[int, int, int, int]:
        """Best bid and ask with their sizes."""
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]

    def tick(self) -> int:
        """Time passes by 1 to 50 ms."""
        self.at += self._random.randint(1, 50) * 1_000_000
        return self.at

    def _change(self, levels: Levels, sign: int) -> Levels:
        """Change up to four levels of a side that never reaches the mid."""
        changed: Levels = {}
        for _ in range(self._random.randint(0, 4)):
            ticks = self.mid + sign * self._random.randint(1, 15)
            gone = ticks in levels and len(levels) > 5 and self._random.random() < 0.4
            changed[ticks] = 0 if gone else self._random.randint(1, 5_000)
            if gone:
                del levels[ticks]
            else:
                levels[ticks] = changed[ticks]
        return changed

    def diff(self) -> bytes:
        """The book moves on; the line that says so."""
        first, previous = self.update + 1, self.update
        self.update += self._random.randint(1, 9)
        bids, asks = self._change(self.bids, -1), self._change(self.asks, 1)
        self.states[self.update] = self.state
        at = self.tick()
        data: dict[str, Any] = {"e": "depthUpdate", "E": at // 1_000_000, "s": "BTCUSDT"}
        data |= {"U": first, "u": self.update, "b": rows(bids), "a": rows(asks)}
        if self._chained:
            data |= {"pu": previous, "T": at // 1_000_000}
        return line(at, "depth@100ms", data)

    def snapshot(self) -> bytes:
        """The REST snapshot of this moment."""
        body = {"lastUpdateId": self.update, "bids": rows(self.bids), "asks": rows(self.asks)}
        return f"{self.tick()} {json.dumps(body)}".encode()

    def ticker(self) -> bytes:
        """The best bid and offer of this moment."""
        bid, bid_size, ask, ask_size = self.top
        data: dict[str, Any] = {"u": self.update, "s": "BTCUSDT", "b": price(bid)}
        data |= {"B": size(bid_size), "a": price(ask), "A": size(ask_size)}
        if self._chained:
            data |= {"e": "bookTicker", "T": 1, "E": 1}
        return line(self.tick(), "bookTicker", data)

    def trade(self, **changes: Any) -> bytes:
        """A sale of 0.005 at the mid."""
        data = {"e": "trade", "E": 1, "T": 1, "s": "BTCUSDT", "t": self.tick(), "m": True}
        data |= {"p": price(self.mid), "q": "0.005"} | changes
        return line(self.at, "trade", data)


def mark(at: int, **changes: Any) -> bytes:
    """A mark price of 60,000 with a funding rate."""
    data = {"e": "markPriceUpdate", "E": at // 1_000_000, "s": "BTCUSDT", "p": "60000.12345678"}
    data |= {"P": "1", "i": "59999.5", "r": "0.0001", "T": 1_723_190_400_000} | changes
    return line(at, "markPrice@1s", data)


def capture(seed: int = 1, diffs: int = 40, *, chained: bool = True) -> tuple[Market, list[bytes]]:
    """A whole capture: diffs before and after a snapshot, and a ticker after each diff."""
    market = Market(seed, chained=chained)
    lines = [market.diff() for _ in range(3)]
    lines.append(market.snapshot())
    for _ in range(diffs):
        lines += [market.diff(), market.ticker()]
    return market, lines
