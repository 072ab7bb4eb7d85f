"""The synthetic market: never crossed, without gaps, and the same for the same seed."""

import hashlib
import os
import subprocess
import sys
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm.errors import ConfigError
from mm.events.codec import encode_event
from mm.events.instrument import ContractKind
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FundingPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import MILLIS, SECONDS, Nanos
from mm.sim.crowd import SPREAD_MAX, noise
from mm.sim.synthetic import Message, SyntheticMarket, SyntheticSettings, validate
from tests.build import START
from tests.oracle.book import Book

WILD = SyntheticSettings(levels=5, volatility_bps=Decimal(20), price=Decimal(1_000))


def messages(count: int, seed: int = 7, **changes: Any) -> list[Message]:
    """The first messages of a market."""
    return list(islice(market(seed, **changes).messages(), count))


def market(seed: int = 7, **changes: Any) -> SyntheticMarket:
    """A market that starts with the session."""
    return SyntheticMarket(SyntheticSettings(**changes), seed, START)


def events(told: list[Message], kind: type[Any]) -> list[Any]:
    """The events of a kind, in order."""
    return [fact for _, facts in told for fact in facts if isinstance(fact, kind)]


def digest(told: list[Message]) -> str:
    """One hash over times and bytes."""
    hasher = hashlib.sha256()
    for received, facts in told:
        hasher.update(str(received).encode())
        for fact in facts:
            hasher.update(encode_event(fact))
    return hasher.hexdigest()


@settings(max_examples=10)
@given(st.integers(0, 2**64), st.sampled_from([SyntheticSettings(), WILD]))
def test_never_crossed_never_empty(seed: int, temper: SyntheticSettings) -> None:
    """After every message both sides are shown, one tick apart at least, three at most."""
    told = islice(SyntheticMarket(temper, seed, START).messages(), 1_500)
    book, tops = Book(), set()
    for _, facts in told:
        for fact in facts:
            match fact:
                case BookSnapshot():
                    book.snapshot(fact)
                case BookDelta():
                    assert all(size >= 0 for size in (*fact.bids[1::2], *fact.asks[1::2]))
                    book.delta(fact)
                case QuoteUpdated():
                    book.quote(fact)
        bids, asks = book.bids, book.asks
        assert -asks.touch - bids.touch > 0
        assert -asks.edge - bids.edge <= 2 * SPREAD_MAX
        assert (bids.touch, asks.touch) == (bids.edge, asks.edge)
        assert (bids.size, asks.size) == (bids.levels[bids.edge], asks.levels[-asks.edge])
        assert len(bids.levels) == len(asks.levels) == temper.levels
        tops.add(bids.touch)
    assert len(tops) > 1


def test_sequences_join() -> None:
    """Each delta begins where the one before ended, the first where the snapshot stands."""
    told = messages(3_000)
    (snapshot,) = events(told, BookSnapshot)
    last = snapshot.sequence
    for delta in events(told, BookDelta):
        assert (delta.previous, delta.first) == (last, last + 1)
        assert delta.last == last + (len(delta.bids) + len(delta.asks)) // 2
        last = delta.last


def test_trades_eat_what_is_displayed() -> None:
    """A taker gets no more than what is shown at its price."""
    book = Book()
    trades = 0
    for _, facts in messages(3_000):
        for fact in facts:
            if isinstance(fact, BookSnapshot):
                book.snapshot(fact)
            elif isinstance(fact, BookDelta):
                book.delta(fact)
            elif isinstance(fact, TradePrinted):
                trades += 1
                half = book.half(fact.aggressor.other)
                assert 0 < fact.size <= half.levels[fact.price]
    assert trades > 100


def test_trades_are_numbered() -> None:
    """Trade ids count from one, without a hole."""
    ids = [trade.trade_id for trade in events(messages(2_000), TradePrinted)]
    assert ids == [str(number) for number in range(1, len(ids) + 1)]


def test_time_runs_forward() -> None:
    """Received strictly later each time, never before it happened, and every fact says so."""
    told = messages(3_000)
    times = [received for received, _ in told]
    assert times == sorted(set(times))
    assert times[0] > START
    for received, facts in told:
        assert facts
        for fact in facts:
            assert fact.received == received
            assert getattr(fact, "venue_time", received) <= received


@pytest.mark.parametrize("pace", [40, 300])
def test_pace(pace: int) -> None:
    """About so many messages a second, in the long run."""
    count = 80 * pace
    told = messages(count, messages_per_second=pace, levels=5)
    seconds = (told[-1][0] - START) / SECONDS
    assert 0.75 * pace < count / seconds < 1.3 * pace


def test_some_moments_are_busier() -> None:
    """The busiest half second has several times the usual number of messages."""
    counts: dict[int, int] = {}
    for received, _ in messages(30_000):
        counts[received // (500 * MILLIS)] = counts.get(received // (500 * MILLIS), 0) + 1
    usual = sorted(counts.values())[len(counts) // 2]
    assert max(counts.values()) > 3 * usual


def test_mark_and_funding_come_every_second() -> None:
    """One mark a whole second, and a rate for the next full interval."""
    told = messages(3_000, funding_interval=Nanos(60 * SECONDS))
    marks = events(told, MarkPublished)[1:]
    assert [mark.venue_time for mark in marks] == [
        START + (number + 1) * SECONDS for number in range(len(marks))
    ]
    for rate in events(told, FundingPublished):
        assert 0 < rate.due - rate.venue_time <= 60 * SECONDS
        assert rate.due % (60 * SECONDS) == 0
        assert abs(rate.rate) < Decimal("0.001")


def test_spot_has_no_mark_and_no_funding() -> None:
    """Nor does a contract whose interval is zero have funding."""
    spot = messages(1_000, kind=ContractKind.SPOT)
    assert events(spot, MarkPublished) == events(spot, FundingPublished) == []
    assert events(messages(1_000, funding_interval=Nanos(0)), FundingPublished) == []


def test_the_instrument_follows_its_kind() -> None:
    """An inverse contract settles in its base."""
    assert market(kind=ContractKind.INVERSE).instrument.settle == "BTC"
    assert market().instrument.settle == "USDT"
    assert market().instrument.name == "synthetic:BTC-USDT"


def test_every_reading_tells_the_same_story() -> None:
    """Messages are drawn anew each time, from the seed alone."""
    one = market()
    first, second = (digest(list(islice(one.messages(), 500))) for _ in range(2))
    assert first == second
    assert digest(messages(500, seed=8)) != first


SCRIPT = """
from tests.sim.test_synthetic import digest, messages
print(digest(messages(2_000)))
"""


def test_other_processes_tell_the_same_story() -> None:
    """The bytes are these, whatever the hash seed, release after release."""
    root = str(Path(__file__).parents[2])
    for hash_seed in ("0", "4242"):
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == DIGEST
    assert digest(messages(2_000)) == DIGEST


DIGEST = "e6d51ccb8d3c2d9a9d97b2a4d839e3a3f158e10add29b841ba351a1fa8c36ee1"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("price", Decimal(0)),
        ("price", Decimal("NaN")),
        ("price", Decimal("60000.5")),
        ("price", Decimal(400)),
        ("tick_size", Decimal(-1)),
        ("level_size", Decimal("0.0005")),
        ("messages_per_second", 0),
        ("levels", 4),
        ("volatility_bps", Decimal("Infinity")),
        ("funding_interval", -1),
    ],
)
def test_a_market_that_cannot_be(field: str, wrong: Any) -> None:
    """The field is named."""
    with pytest.raises(ConfigError) as caught:
        validate(SyntheticSettings(**{field: wrong}))
    assert caught.value.where == f"synthetic.{field}"


def test_noise_has_the_swing_asked_for() -> None:
    """Four draws over plus or minus w, n times a second: variance n x 4 w^2 / 3."""
    width = noise(3_000, 300)
    assert abs(300 * 4 * width**2 / 3 - 3_000**2) < 0.02 * 3_000**2
