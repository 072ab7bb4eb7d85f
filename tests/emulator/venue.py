"""An emulated Binance for the tests: a small book, an account, and clients that reach it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange, Keys
from mm.emulator.server import Running, running
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, QuoteUpdated, TradePrinted
from mm.events.units import InstrumentId, Lots, Nanos, Side, Ticks
from mm.gateways.network import NetworkSettings, open_network
from tests.build import instrument

BTCUSDT = InstrumentId(1)
PATIENCE = 40.0
"""Seconds after which a test gives up."""
KEYS = Keys("k" * 64, "s" * 64)
BALANCES = {"BTC": Decimal(10), "USDT": Decimal(1_000_000)}


def spot(**changes: Any) -> InstrumentDefined:
    """Spot BTC: tick 0.01, lot 0.00001."""
    values = {
        "instrument": BTCUSDT,
        "venue": "recorded",
        "kind": ContractKind.SPOT,
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal("0.00001"),
        "maker_fee": Decimal("0.001"),
        "taker_fee": Decimal("0.001"),
        "fee_from_received": True,
        "notional_min": Decimal(5),
    }
    return instrument(**{**values, **changes})


def perpetual(**changes: Any) -> InstrumentDefined:
    """Linear BTC: tick 0.1, lot 0.001."""
    values = {"instrument": BTCUSDT, "venue": "recorded", "notional_min": Decimal(5)}
    return instrument(**{**values, **changes})


def book(sequence: int, bids: tuple[int, ...], asks: tuple[int, ...]) -> BookSnapshot:
    """A whole book."""
    return BookSnapshot(
        instrument=BTCUSDT,
        received=Nanos(0),
        venue_time=Nanos(0),
        sequence=sequence,
        bids=bids,
        asks=asks,
    )


def change(
    sequence: int, bids: tuple[int, ...] = (), asks: tuple[int, ...] = (), at: int = 0
) -> BookDelta:
    """One update of the book."""
    return BookDelta(
        instrument=BTCUSDT,
        received=Nanos(at),
        venue_time=Nanos(at),
        first=sequence,
        last=sequence,
        previous=0,
        bids=bids,
        asks=asks,
    )


def quote(sequence: int, bid: int, ask: int) -> QuoteUpdated:
    """The best bid and offer, a million lots each."""
    return QuoteUpdated(
        instrument=BTCUSDT,
        received=Nanos(0),
        venue_time=Nanos(0),
        sequence=sequence,
        bid=Ticks(bid),
        bid_size=Lots(1_000_000),
        ask=Ticks(ask),
        ask_size=Lots(1_000_000),
    )


def printed(number: int, price: int, size: int, aggressor: Side, at: int = 0) -> TradePrinted:
    """A public trade."""
    return TradePrinted(
        instrument=BTCUSDT,
        received=Nanos(at),
        venue_time=Nanos(at),
        trade_id=str(number),
        price=Ticks(price),
        size=Lots(size),
        aggressor=aggressor,
    )


def opened(definition: InstrumentDefined, venue: str = "binance") -> tuple[Exchange, Account]:
    """An exchange with one instrument, a book of two levels a side around 60,000, an account."""
    exchange = Exchange(venue)
    exchange.list(definition)
    step = int(Decimal(100) / definition.tick_size)
    mid = 600 * step
    bids = (mid - step, 100_000, mid - 2 * step, 200_000)
    asks = (mid + step, 100_000, mid + 2 * step, 200_000)
    exchange.tell(book(100, bids, asks))
    return exchange, exchange.open(KEYS, BALANCES)


async def until(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    """Ask until the answer holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds(answer := await ask()):  # noqa: ASYNC110  The client is asked, not told.
            await asyncio.sleep(0.01)
    return answer


class Reached(NamedTuple):
    """An emulator that listens, and a session that reaches it."""

    running: Running
    session: aiohttp.ClientSession


@asynccontextmanager
async def reached(*fronts: Any) -> AsyncIterator[Reached]:
    """The emulator, and a session for its hosts."""
    async with running(*fronts) as emulator:
        settings = NetworkSettings(
            resolve=emulator.environment["MM_RESOLVE"], ca=str(emulator.ca_file)
        )
        hosts = (*emulator.hosts, "emulator.local")
        async with open_network(hosts, settings) as session:
            yield Reached(emulator, session)
