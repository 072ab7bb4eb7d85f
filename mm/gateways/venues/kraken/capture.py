"""Frames of Kraken's older protocol, WebSocket v1, as collectors kept them, become a recording.

They hold the same books under the same checksum as v2, so the same decoder checks them; only the
frames' form and the names of some assets differ. What the pairs are is read from the list of pairs
that a collector asks for at its start. A ticker beside a book whose every change is there says
nothing new, and is counted only.
"""

import heapq
import re
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from mm.errors import BadInput, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.market import FeedGapped, TradePrinted
from mm.events.units import InstrumentId, Levels, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import Market
from mm.gateways.collected import FORM, Heard, heard
from mm.gateways.compressed import Advance, silent
from mm.gateways.exact import StepReader
from mm.gateways.recorder import Recorder
from mm.gateways.totals import Problems, Totals
from mm.gateways.venues.kraken import wire
from mm.gateways.venues.kraken.decoder import Change, PairDecoder
from mm.gateways.venues.kraken.pairs import Pair, defined, pairs, symbol

NAME: Final = "KRAKEN"
CHANNEL: Final = "market"
SIDES: Final = {"b": Side.BUY, "s": Side.SELL}
OPENING: Final = re.compile(
    rb'\[\d+,\{"[ab]s":\[\["\d+\.?(\d*)".*,"book-(\d{2,4})","([^"]+)"\]', re.ASCII | re.DOTALL
)
"""A snapshot with a level: the decimals of its prices, its depth, its pair."""


class Part(msgspec.Struct, gc=False):
    """A part of a book frame: snapshots are `bs` and `as`; rows are price, size, time."""

    bids: list[list[str]] | None = msgspec.field(default=None, name="bs")
    asks: list[list[str]] | None = msgspec.field(default=None, name="as")
    b: list[list[str]] = []
    a: list[list[str]] = []
    c: str | None = None


_frame: Final[msgspec.json.Decoder[list[msgspec.Raw]]] = msgspec.json.Decoder(list[msgspec.Raw])
_text: Final[msgspec.json.Decoder[str]] = msgspec.json.Decoder(str)
_part: Final[msgspec.json.Decoder[Part]] = msgspec.json.Decoder(Part)
_trades: Final[msgspec.json.Decoder[list[list[str]]]] = msgspec.json.Decoder(list[list[str]])


class Shape(NamedTuple):
    """How deep a book is, and with how many decimals its prices are written."""

    depth: int
    decimals: int


class OldPair:
    """One pair on its way into the recording."""

    def __init__(self, definition: InstrumentDefined, shape: "Shape") -> None:
        """Start before the first frame."""
        self.decoder = PairDecoder(definition, shape.depth, shape.decimals)
        self.totals = Totals(definition)
        self.tickers = 0
        self._price = StepReader(definition.tick_size, price=True)
        self._size = StepReader(definition.lot_size, price=False)

    def take(self, received: Nanos, channel: str, parts: list[msgspec.Raw]) -> list[Market]:
        """The facts of a frame; raises `BadInput`, and then nothing has changed."""
        kind = channel.partition("-")[0]
        if kind == "book":
            change = self._change([_part.decode(each) for each in parts])
            return self._up(received) + self.decoder.book(received, change)
        if kind == "trade" and len(parts) == 1:
            printed = self._printed(received, _trades.decode(parts[0]))
            return self._up(received) + printed
        if kind == "ticker":
            self.tickers += 1
            return []
        raise MalformedLine(f"unknown channel {channel[:40]!r}", remedy=wire.COMPARE)

    def _up(self, received: Nanos) -> list[Market]:
        return [] if self.decoder.up else self.decoder.begin(received, CHANNEL)

    def _change(self, parts: list[Part]) -> Change:
        """A snapshot, which has no checksum, or an update, whose last part holds it."""
        first = parts[0]
        if first.bids is not None and first.asks is not None:
            bids, asks = self._levels(first.bids), self._levels(first.asks)
            return Change(True, Nanos(0), bids, asks, None)  # noqa: FBT003
        checksum = parts[-1].c
        rows = [row for part in parts for row in part.b + part.a]
        if checksum is None or not checksum.isdecimal() or not rows:
            raise MalformedLine("an update without changes or checksum", remedy=wire.COMPARE)
        return Change(
            whole=False,
            at=max(_nanos(row[2]) for row in rows),
            bids=self._levels([row for part in parts for row in part.b]),
            asks=self._levels([row for part in parts for row in part.a]),
            checksum=int(checksum),
        )

    def _levels(self, rows: list[list[str]]) -> Levels:
        price, size = self._price, self._size
        return tuple([steps for row in rows for steps in (price[row[0]], size[row[1]])])

    def _printed(self, received: Nanos, rows: list[list[str]]) -> list[Market]:
        """Trades; they have no id, so their time and place in the frame are it."""
        return [
            TradePrinted(
                instrument=self.decoder.definition.instrument,
                received=received,
                venue_time=_nanos(row[2]),
                trade_id=f"{row[2]}-{place}",
                price=Ticks(self._price[row[0]]),
                size=Lots(self._size[row[1]]),
                aggressor=SIDES[row[3]],
            )
            for place, row in enumerate(rows)
        ]

    def report(self) -> dict[str, Any]:
        """All figures of the pair."""
        gaps = self.totals.counts[FeedGapped]
        own = {
            "checksums": self.decoder.checked,
            "checksums_wrong": gaps,
            "tickers": self.tickers,
            "book_valid": self.decoder.whole,
        }
        return self.totals.report() | self.totals.book_report() | own


def _nanos(seconds: str) -> Nanos:
    """A time as v1 writes it, `1618678132.831468`; raises `ValueError`."""
    whole, _, fraction = seconds.partition(".")
    return Nanos(int(whole + fraction.ljust(9, "0")))


class KrakenImport:
    """Files in, turns out, totals beside."""

    def __init__(self, paths: Sequence[Path], problems: Problems) -> None:
        """Find out what the files hold; raises `BadInput` if that fails."""
        self.problems = problems
        self.notes: list[str] = []
        self._paths = paths
        self._listed: dict[str, Pair] = {}
        named: dict[str, Shape] = {}
        for line in self._lines():
            self._sniff(line, named)
        if not named or not self._listed:
            raise BadInput(
                "no snapshots of WebSocket v1 with the list of pairs beside them",
                where=", ".join(map(str, paths)),
                remedy=f"give the collector's files of {NAME}, {NAME}.0 among them; {FORM}",
            )
        self._tracks = {
            name: OldPair(self._defined(name, number), shape)
            for number, (name, shape) in enumerate(sorted(named.items()))
        }

    def _sniff(self, line: Heard, named: dict[str, Shape]) -> None:
        """Keep the list of pairs, and the shapes of the books."""
        if line.url.endswith("/AssetPairs"):
            self._listed = pairs(line.body)
        elif found := OPENING.fullmatch(line.body.rstrip()):
            decimals, depth, pair = found.groups()
            named[symbol(pair.decode())] = Shape(int(depth), len(decimals))

    def _defined(self, name: str, number: int) -> InstrumentDefined:
        if name not in self._listed:
            raise BadInput(
                f"{name} is not in the list of pairs",
                where=", ".join(map(str, self._paths)),
                remedy="give the list that was asked for when the capture began",
            )
        return defined(self._listed[name], InstrumentId(number))

    @property
    def defined(self) -> list[InstrumentDefined]:
        """The instruments in order of their ids."""
        return [track.totals.definition for track in self._tracks.values()]

    def run(self, recorder: Recorder, advance: Advance = silent) -> None:
        """Record every frame that can be believed."""
        definitions = self.defined
        for line in self._lines(advance):
            if line.error is not None:
                self.problems.add(line.error, line.where)
                continue
            if line.url or line.body.startswith(b"{"):
                continue  # Answers to requests, heartbeats and the state of subscriptions.
            try:
                facts = self._facts(line)
            except BadInput as error:
                self.problems.add(error, line.where)
                continue
            if definitions:
                recorder.turn(line.received, definitions)
                definitions = []
            recorder.turn(line.received, facts)

    def _lines(self, advance: Advance = silent) -> Iterator[Heard]:
        """The lines of all files, merged by the time at which they were received."""
        files = [file for path in self._paths for file in heard(path, NAME, advance)]
        return heapq.merge(*files, key=attrgetter("received"))

    def _facts(self, line: Heard) -> list[Market]:
        try:
            _, *parts, channel, pair = _frame.decode(line.body)
            track = self._tracks[symbol(_text.decode(pair))]
            facts = track.take(line.received, _text.decode(channel), parts)
        except (*wire.UNREADABLE, KeyError, ValueError, IndexError) as error:
            raise MalformedLine(
                f"the frame cannot be read: {error}", remedy=wire.COMPARE
            ) from error
        track.totals.message(line.received)
        for fact in facts:
            track.totals.add(fact)
            if isinstance(fact, FeedGapped):
                self.notes.append(f"{line.where}: gap: {fact.reason}")
        return facts

    def report(self) -> list[dict[str, Any]]:
        """The figures of every pair, in order of their ids."""
        return [track.report() for track in self._tracks.values()]
