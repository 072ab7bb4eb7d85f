"""Any venue through ccxt.pro: its book as it stands, trades once each, and no loop that hangs."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mm.emulator.binance.spot import SpotFront
from mm.emulator.server import Running
from mm.errors import ConfigError
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedResynced,
    FeedUp,
    TradePrinted,
)
from mm.events.units import MILLIS, Nanos, Side
from mm.events.vocabulary import Fact
from mm.gateways.ccxt_feed import CcxtFeed, CcxtSettings, client_of, hosts_of, listed
from mm.gateways.questions import Outside
from mm.projections.book import Books
from tests.emulator.venue import BTCUSDT, opened, printed, reached, spot
from tests.gateways.live_market import PATIENCE, Truth

SLIM = {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}}
FAST = CcxtSettings(silence_max=1.5, wait_min=0.02, wait_max=0.1)
VENUE = "ccxt.binance"


class Folded:
    """What was offered, and the book it makes."""

    def __init__(self) -> None:
        """Nothing was."""
        self.facts: list[Any] = []
        self.books = Books()
        self.definition: Any = None

    def offer(self, received: Nanos, facts: tuple[Fact, ...]) -> bool:
        """Take all."""
        routes = self.books.routes()
        for fact in facts:
            self.facts.append(fact)
            handler = routes.get(type(fact))
            if handler is not None:
                handler(fact, received)
        return True

    def count(self, kind: type) -> int:
        """How many of a kind."""
        return sum(isinstance(fact, kind) for fact in self.facts)

    def levels(self) -> Any:
        """The book in decimals, empty where it is not to be used."""
        book, defined = self.books.of(BTCUSDT), self.definition
        if not (book.usable and book.has_depth):
            return ([], [])
        return tuple(
            [(defined.price(p), defined.size(q)) for p, q in side(50)]
            for side in (book.bids, book.asks)
        )


@asynccontextmanager
async def watched(*channels: str) -> AsyncIterator[tuple[Truth, Folded, Running]]:
    """Ccxt's feed of an emulated venue."""
    exchange, _ = opened(spot())
    truth, folded, front = Truth(exchange), Folded(), SpotFront(exchange)
    wording: Any = front._streams._wording
    wording.depth_speeds = {"@100ms": MILLIS}
    async with reached(front) as there:
        outside = Outside(session=there.session, chance=random.Random(1))
        client = client_of(VENUE, outside, SLIM)
        (definition,) = await listed(client, VENUE, ("BTC/USDT",))
        folded.definition = definition
        feed = CcxtFeed(client, outside, (definition,), channels, FAST)
        running = asyncio.create_task(feed.run(folded.offer))
        try:
            yield truth, folded, there.running
        finally:
            running.cancel()
            await asyncio.wait([running])


async def level(truth: Truth, folded: Folded, count: int = 0) -> None:
    """Play until ccxt's book is the venue's own, after so many looks."""
    async with asyncio.timeout(PATIENCE):
        while True:
            truth.step()
            await asyncio.sleep(0.02)
            found = folded.levels()
            bids, asks = truth.at[truth.listing.book.sequence]
            if found == (bids, asks) and folded.count(BookDelta) >= count:
                return


async def test_the_book_is_the_venues() -> None:
    """Looks at ccxt's book lead to the emulator's own."""
    async with watched("book") as (truth, folded, _):
        await level(truth, folded, 10)
        assert folded.count(BookSnapshot) == 1
        assert folded.count(FeedUp) == 1
        assert not folded.count(FeedDown)
        assert folded.definition.name == "ccxt.binance:BTC/USDT"


@pytest.mark.parametrize("trouble", ["cut", "silence"])
async def test_trouble_is_told_and_ends(trouble: str) -> None:
    """A socket that is cut or says nothing any more: down, up again, and a whole book."""
    async with watched("book") as (truth, folded, emulator):
        await level(truth, folded, 3)
        for socket in emulator.hub.sockets:
            if trouble == "cut":
                socket.cut()
            socket.silent = True
        async with asyncio.timeout(PATIENCE):
            while not folded.count(FeedResynced):
                truth.step()
                await asyncio.sleep(0.02)
        await level(truth, folded)
        assert folded.count(FeedDown) >= 1
        assert folded.count(FeedUp) == folded.count(FeedDown) + 1


async def test_trades_come_once() -> None:
    """Each trade is told once, with its taker's side."""
    async with watched("trades") as (truth, folded, _):
        number = 0
        async with asyncio.timeout(PATIENCE):
            while folded.count(TradePrinted) < 20:
                number += 1
                side = Side.SELL if number % 2 else Side.BUY
                at = truth.exchange.now()
                truth.exchange.tell(printed(number, 6_000_000, number, side, at=at))
                await asyncio.sleep(0.01)
        trades = [fact for fact in folded.facts if isinstance(fact, TradePrinted)]
        ids = [int(trade.trade_id) for trade in trades]
        assert len(set(ids)) == len(ids)
        for trade in trades:
            odd = int(trade.trade_id) % 2
            assert trade.aggressor is (Side.SELL if odd else Side.BUY)


async def test_what_ccxt_has_not_is_refused() -> None:
    """An id, an instrument or a channel that there is not is named."""
    assert "api.binance.com" in hosts_of(VENUE)
    assert "fstream.binance.com" in hosts_of(VENUE)
    assert hosts_of("ccxt.nowhere", ("a.example",)) == ("a.example",)
    exchange, _ = opened(spot())
    async with reached(SpotFront(exchange)) as there:
        outside = Outside(session=there.session)
        with pytest.raises(ConfigError, match="no sockets for 'nowhere'"):
            client_of("ccxt.nowhere", outside)
        client = client_of(VENUE, outside, SLIM)
        with pytest.raises(ConfigError, match="not listed"):
            await listed(client, VENUE, ("NO/SUCH",))
        with pytest.raises(ConfigError, match="no gossip"):
            CcxtFeed(client, outside, (), ("gossip",))
        await client.close()
