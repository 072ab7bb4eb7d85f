"""Reference rates in a session: wired from the config, on the log beside the market."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest

from mm.apps import venues
from mm.apps.config import Config, build
from mm.apps.inbox import Inbox
from mm.apps.references import WithRates, hosts_of
from mm.apps.session import Session, recover
from mm.apps.venue_config import ReferenceConfig
from mm.apps.wiring import precheck
from mm.emulator.binance.spot import SpotFront
from mm.emulator.reference import ReferenceFront
from mm.emulator.server import Running
from mm.engine.verify import Verifier
from mm.errors import ConfigError
from mm.events.market import BookSnapshot, ReferenceRatePublished
from mm.events.units import Nanos
from mm.log.memory import MemoryLog
from tests.apps.stage import LIMITS, plain
from tests.emulator.venue import opened, reached, spot
from tests.gateways.live_market import Truth

BTC = "binance:BTCUSDT"


def configured(emulator: Running | None = None, **reference: Any) -> Config:
    """A maker on an emulated venue, and rates."""
    values = plain(instrument=BTC)
    values["limits"] = {BTC: LIMITS}
    values["feed"] = {"kind": "venue", "venue": "binance", "symbols": ["BTCUSDT"]}
    values["reference"] = {"pairs": ["USD/TWD"], **reference}
    if emulator is not None:
        resolve = emulator.environment["MM_RESOLVE"]
        values["network"] = {"resolve": resolve, "ca": str(emulator.ca_file)}
    return build(values, {}, {}, where="test")


async def test_rates_are_on_the_log_and_replay() -> None:
    """A session hears the book and the rate; every decision is recomputed."""
    exchange, _ = opened(spot())
    prices = {"USD": (Decimal("31.30"), Decimal("31.50"))}
    log = MemoryLog()
    async with reached(SpotFront(exchange), ReferenceFront(prices)) as there:
        config = configured(there.running)
        precheck(config)
        engine, _ = await recover(log)
        async with venues.wired(config, engine, Nanos(time.time_ns())) as wiring:
            session = Session(config, log, engine, wiring)
            heard: list[Any] = []

            def look(sealed: Any, _timing: Any) -> None:
                heard.extend(sealed.turn.facts)
                if {BookSnapshot, ReferenceRatePublished} <= set(map(type, heard)):
                    session.runner.stop("test", "enough")

            session.runner.on_turn.append(look)
            moving = asyncio.create_task(Truth(exchange).play(10_000, 0.01))
            async with asyncio.timeout(60):
                ended = await session.run("paper")
            moving.cancel()
    assert ended.reason == "enough"
    assert not ended.faulted
    (rate, *_) = [fact for fact in heard if isinstance(fact, ReferenceRatePublished)]
    assert (rate.rate, rate.source) == (Decimal("31.4"), "bank-of-taiwan")
    assert rate.valid_until > rate.received
    verifier = Verifier()
    async for sealed in log.read():
        assert verifier.take(sealed)


class Ends:
    """Something that is heard until it ends, or fails."""

    instruments = ()

    def __init__(self, failure: Exception | None = None) -> None:
        """Fail with this, or end well."""
        self._failure = failure

    async def carry(self, _inbox: Any) -> None:
        """As a market."""
        if self._failure is not None:
            raise self._failure

    async def run(self, _offer: Any) -> None:
        """As rates that never end."""
        await asyncio.Event().wait()


async def test_a_market_that_fails_ends_its_rates() -> None:
    """And its failure is not lost."""
    with pytest.raises(ConfigError, match="gone"):
        await WithRates(Ends(ConfigError("gone")), Ends()).carry(Inbox())
    await WithRates(Ends(), Ends()).carry(Inbox())


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ({"pairs": ["USD"]}, "no pair"),
        ({"sources": ["gossip"]}, "no source 'gossip'"),
        ({"sources": []}, "no source is named"),
        ({"pairs": ["EUR/USD"]}, "not EUR/USD"),
    ],
)
def test_what_nobody_publishes_is_refused(reference: dict[str, Any], words: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ConfigError, match=words):
        hosts_of(configured(**reference).reference)


def test_without_pairs_nobody_is_spoken_to() -> None:
    """The hosts of sources are allowed where they are needed, and only there."""
    assert hosts_of(ReferenceConfig()) == ()


def test_a_market_that_is_played_has_no_rates() -> None:
    """Rates of today beside a market of then are refused."""
    values = plain() | {"reference": {"pairs": ["USD/TWD"]}}
    with pytest.raises(ConfigError, match="no rates of today"):
        precheck(build(values, {}, {}, where="test"))
