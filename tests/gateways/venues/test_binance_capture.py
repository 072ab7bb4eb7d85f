"""Binance's own frames, as they were captured: every sequence unbroken, through the live parser."""

import heapq
from collections import Counter
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from mm.events.market import BookDelta, BookSnapshot, CandleClosed, FeedGapped, TradePrinted
from mm.events.vocabulary import Market
from mm.gateways.captures import CaptureFile
from mm.gateways.collected import Heard, heard
from mm.gateways.definitions import definitions, numbered
from mm.gateways.market_port import Frame
from mm.gateways.venues.binance.market import BinanceMarket, BinanceParser
from mm.projections.book import Books
from tests.gateways.lines import recording as found

SOCKET = "public-1"
COLLECTED = [
    ("BINANCE", "binance", "NKNUSDT BLZETH LRCBTC RUNEEUR", 265),
    ("BINANCE_FUTURES", "binance_usdm", "SUSHIUSDT AKROUSDT KEEPUSDT CTKUSDT", 1_535),
]


def lines(path: Path, name: str) -> Iterator[Heard]:
    """What was heard, in order of time."""
    return heapq.merge(*heard(path, name), key=attrgetter("received"))


def frame(line: Heard) -> Frame:
    """A line as a live feed would have it."""
    symbol = line.url.partition("symbol=")[2].partition("&")[0]
    return Frame(line.received, f"depth/{symbol}" if line.url else SOCKET, line.body)


@pytest.mark.parametrize(("name", "venue", "symbols", "frames"), COLLECTED)
def test_a_capture_of_everything_is_unbroken(
    name: str, venue: str, symbols: str, frames: int
) -> None:
    """List, snapshots and sockets of four instruments: all joined, no gap, nothing unread."""
    path = found("fix-ws-captures-a.tar.gz")
    port = BinanceMarket(venue, ("book", "quotes", "trades", "candles"))
    heard_lines = list(lines(path, name))
    lists = [line for line in heard_lines if "exchangeInfo" in line.url]
    answers = tuple(Frame(line.received, "definitions", line.body) for line in lists)
    instruments = port.instruments(answers, tuple(symbols.split()))
    parser = port.parser(instruments)
    facts: list[Market] = parser.connected(SOCKET, answers[0].received)
    count = 0
    for line in heard_lines:
        if "exchangeInfo" not in line.url:
            facts += parser.parse(frame(line))
            count += not line.url
    kinds = Counter(type(fact) for fact in facts)
    assert count == frames
    assert not kinds[FeedGapped]
    assert kinds[BookSnapshot] == len(instruments)
    assert all(each.core.book.usable for each in parser.decoders.values())
    assert kinds[TradePrinted] > 0
    assert not sum(each.audit.mismatches + each.audit.crossed for each in parser.decoders.values())
    assert kinds[CandleClosed] >= 0


LONG = [
    ("fix-binance-spot-btcusdt-20240808_09.gz", "binance", 6_000, 471),
    ("fix-binance-usdm-btcusdt-20240808.gz", "binance_usdm", 6_500, 471),
]


def replayed(path: Path, venue: str, lose: Any = None) -> tuple[BinanceParser, list[Market]]:
    """A long capture through the parser; `lose` says which lines are not heard."""
    defined = numbered(definitions([])[venue, "BTCUSDT"], 1)
    port = BinanceMarket(venue, ("book", "quotes", "fills"))
    parser, facts = port.parser((defined,)), []
    for line in CaptureFile(path, 0).lines():
        channel = SOCKET if line.payload.startswith(b'{"stream"') else "depth/BTCUSDT"
        if lose is None or not lose(line):
            facts += parser.parse(Frame(line.received, channel, line.payload))
    return parser, facts


@pytest.mark.parametrize(("file", "venue", "deltas", "quotes"), LONG)
def test_a_long_capture_is_unbroken(file: str, venue: str, deltas: int, quotes: int) -> None:
    """Minutes of a busy market: every diff joined, every comparable quote equal to the book."""
    parser, facts = replayed(found(file), venue)
    (decoder,) = parser.decoders.values()
    kinds = Counter(type(fact) for fact in facts)
    assert not kinds[FeedGapped]
    assert kinds[BookDelta] > deltas
    assert decoder.audit.compared > quotes
    assert not decoder.audit.mismatches
    assert not decoder.repeated
    books = Books()
    routes = books.routes()
    for fact in facts:
        handler = routes.get(type(fact))
        if handler is not None:
            handler(fact, fact.received)
    book = books.of(decoder.definition.instrument)
    top = decoder.audit.top
    (bid, bid_size), (ask, ask_size) = book.bids(1)[0], book.asks(1)[0]
    assert (bid, bid_size, ask, ask_size) == top


@pytest.mark.parametrize(("file", "venue", "_deltas", "_quotes"), LONG)
def test_one_lost_diff_is_one_gap(file: str, venue: str, _deltas: int, _quotes: int) -> None:
    """A single diff left out of a long capture is found, and a snapshot is wanted."""
    count = 0

    def lose(line: Any) -> bool:
        nonlocal count
        count += b"@depth" in line.payload[:60]
        return count == 1_000 and b"@depth" in line.payload[:60]

    parser, facts = replayed(found(file), venue, lose)
    assert sum(isinstance(fact, FeedGapped) for fact in facts) == 1
    (wanted,) = parser.wants(facts[-1].received)
    assert getattr(wanted, "channel", "") == "depth/BTCUSDT"
