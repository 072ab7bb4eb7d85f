"""The simulated venue in a recorded market: one funding, and a book that the fold agrees with."""

import gzip
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from mm.events.account import BalanceReported, FundingPaid, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, MarkPublished, QuoteUpdated
from mm.events.units import SECONDS, InstrumentId, Lots, Nanos
from mm.projections.book import Book as FoldedBook
from mm.sim.paper import PaperVenue
from mm.sim.settings import NONE, PaperSettings
from tests.gateways.lines import USDM_2023, imported, recording
from tests.oracle.plain_trading import pit_of, plain_venue

BTC = InstrumentId(0)
MIDNIGHT = 1_680_652_800 * SECONDS
LINES = 15_000
"""Enough to pass midnight and the next rate."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Nanos, Any]]:
    """The first lines of a perpetual's recording, as events at the times they were received."""
    path: Path = tmp_path_factory.mktemp("capture") / USDM_2023
    with gzip.open(recording(USDM_2023)) as source, gzip.open(path, "wb", 1) as target:
        target.writelines(islice(source, LINES))
    _, turns = imported(path)
    return [(turn.at, fact) for turn in turns.turns for fact in turn.facts]


def venue() -> PaperVenue:
    """A venue that holds one coin, long."""
    paper = plain_venue(PaperSettings(entry=NONE, response=NONE), seed=1)
    held = PositionReported(
        wallet="main",
        instrument=BTC,
        size=Lots(1_000),
        entry=Decimal(28_000),
        received=Nanos(0),
        venue_time=Nanos(0),
    )
    paper.restore([held])
    return paper


def test_funding_is_paid_once_at_midnight(recorded: list[tuple[Nanos, Any]]) -> None:
    """One long coin at mark 28,157.1 pays 0.002754 %: 0.775446534, and the next rate is not due."""
    paper, told = venue(), []
    for at, event in recorded:
        paper.hear(at, event)
        told += paper.advance(at)
    paid, balance = told
    assert isinstance(paid, FundingPaid)
    assert isinstance(balance, BalanceReported)
    assert (balance.asset, balance.free, balance.locked) == ("USDT", paid.amount, Decimal(0))
    assert (paid.amount, paid.asset) == (Decimal("-0.775446534"), "USDT")
    assert (paid.mark, paid.rate) == (Decimal("28157.1"), Decimal("0.00002754"))
    assert paid.due == MIDNIGHT
    last = max(event.venue_time for _, event in recorded if isinstance(event, MarkPublished))
    assert last > MIDNIGHT + 2 * SECONDS


def test_two_books_agree(recorded: list[tuple[Nanos, Any]]) -> None:
    """The oracle's dicts and the compiled fold show the same touch after every event."""
    paper, folded, compared = venue(), FoldedBook(), 0
    for at, event in recorded:
        paper.hear(at, event)
        match event:
            case InstrumentDefined():
                assert event.instrument == BTC
            case BookSnapshot():
                folded.snapshot(event, at)
            case BookDelta():
                folded.delta(event, at)
            case QuoteUpdated():
                folded.quote(event, at)
        book = pit_of(paper, BTC).book
        if folded.usable and folded.two_sided:
            touch = (folded.bid, folded.bid_size, folded.ask, folded.ask_size)
            assert (book.bids.touch, book.bids.size, -book.asks.touch, book.asks.size) == touch
            compared += 1
    assert compared > 0.9 * len(recorded)
    assert folded.asks(50) == sorted(book.asks.levels.items())[:50]
