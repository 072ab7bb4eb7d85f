"""MAX's feed live against the emulated venue: the book we have is the true one, or none."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mm.emulator.faults import Kind, Rule
from mm.emulator.max.front import MaxFront
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedUp,
    TradePrinted,
)
from mm.events.units import MILLIS, Side
from mm.gateways.questions import Outside
from mm.gateways.venue_feed import VenueFeed, known
from mm.gateways.venues.max.market import MaxMarket
from tests.emulator.venue import opened, printed, reached, spot
from tests.gateways.live_market import FAST, Listener, Live, Truth


@asynccontextmanager
async def live() -> AsyncIterator[Live]:
    """A feed on an emulated MAX, from before its first frame on."""
    exchange, _ = opened(spot(), "max")
    truth = Truth(exchange)
    async with reached(MaxFront(exchange)) as there:
        outside = Outside(session=there.session, chance=random.Random(1))
        port = MaxMarket()
        listed = await known(port, outside, ("btcusdt",))
        feed, listener = VenueFeed(port, outside, listed, settings=FAST), Listener(truth)
        listener.definition = listed.instruments[0]
        running = asyncio.create_task(feed.run(listener.offer))
        running.add_done_callback(lambda task: task.cancelled() or task.result())
        try:
            yield Live(feed, truth, listener, there.running)
        finally:
            running.cancel()
            await asyncio.wait([running])


async def begun(market: Live) -> None:
    """Wait for a first book and some updates of it."""
    await market.until(lambda: market.listener.usable and market.listener.count(BookDelta) > 3)


async def level(market: Live) -> None:
    """Go on until we have heard all; an update that changes nothing in view is told with others."""
    book = market.truth.listing.book
    await market.until(lambda: market.listener.sequence == book.sequence)


async def test_the_book_is_the_venues_at_every_update() -> None:
    """What we fold is the emulator's own book at each update id; levels out of view are removed."""
    async with live() as market:
        await begun(market)
        await market.until(lambda: market.listener.count(BookDelta) > 300)
        await level(market)
        assert market.listener.compared > 300
        assert not market.listener.count(FeedGapped)
        assert [fact.channel for fact in market.listener.of(FeedUp)] == ["public-1"]


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.MALFORM])
async def test_a_lost_frame_is_one_gap(kind: Kind) -> None:
    """It is subscribed to anew on the socket that stands, and whole again."""
    async with live() as market:
        await begun(market)
        market.emulator.hub.faults.add([Rule(kind=kind, stream="book:*")])
        await market.until(lambda: market.listener.count(FeedResynced) > 0)
        await level(market)
        assert market.listener.count(FeedGapped) == 1
        assert market.listener.usable
        assert not market.listener.count(FeedDown)


async def test_a_frame_said_twice_is_heard_once() -> None:
    """Of the book and of trades."""
    async with live() as market:
        await begun(market)
        market.emulator.hub.faults.add([Rule(kind=Kind.DUPLICATE, stream="*", count=0)])
        for number in range(5):
            stamp = (number + 1) * MILLIS
            market.truth.exchange.tell(printed(number, 6_000_000, 7, Side.BUY, at=stamp))
        heard = market.listener.count(BookDelta)
        await market.until(lambda: market.listener.count(BookDelta) > heard + 5)
        await market.until(lambda: market.listener.count(TradePrinted) >= 5)
        await level(market)
        assert market.listener.count(TradePrinted) == 5
        assert not market.listener.count(FeedGapped)
        assert market.listener.ids == sorted(set(market.listener.ids))


async def test_a_cut_socket_is_dialled_again() -> None:
    """The connection is down, then up, and the book comes with its subscription."""
    async with live() as market:
        await begun(market)
        for socket in tuple(market.emulator.hub.sockets):
            socket.cut()
        await market.until(lambda: market.listener.count(FeedResynced) > 0)
        await level(market)
        assert market.listener.count(FeedDown) == 1
        assert market.listener.count(FeedUp) == 2


async def test_sockets_replace_each_other_without_a_gap() -> None:
    """What both have said is told once."""
    async with live() as market:
        await begun(market)
        (keeper,) = market.feed._keepers.values()
        for _ in range(5):
            before = keeper.replaced
            keeper.renew()
            await market.until(lambda before=before: keeper.replaced > before)  # type: ignore[misc]
        await level(market)
        assert not market.listener.count(FeedGapped)
        assert not market.listener.count(FeedDown)


async def test_book_is_polled_while_no_socket_can_be_had() -> None:
    """Each answer is a whole book; the socket's own is joined when it is back."""
    async with live() as market:
        await begun(market)
        refuse = Rule(kind=Kind.REFUSE, path="/ws", status=503, count=0)
        market.emulator.hub.faults.add([refuse])
        for socket in tuple(market.emulator.hub.sockets):
            socket.cut()
        polled = "poll/public-1"
        await market.until(lambda: polled in {fact.channel for fact in market.listener.of(FeedUp)})
        wholes = market.listener.count(BookSnapshot)
        await market.until(lambda: market.listener.count(BookSnapshot) > wholes + 2)
        market.emulator.hub.faults.clear()
        deltas = market.listener.count(BookDelta)
        await market.until(lambda: market.listener.count(BookDelta) > deltas + 3)
        await level(market)
        assert market.listener.usable
