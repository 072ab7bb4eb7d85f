"""A venue's feed through all that goes wrong: the book we have is the true one, or none."""

from typing import Any

import msgspec
import pytest

from mm.emulator.sockets import Socket
from mm.events.market import (
    BookDelta,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedStale,
    FeedUp,
)
from mm.events.units import SECONDS, Nanos
from mm.gateways.sockets import SocketKeeper
from tests.gateways.live_market import FAST, Live, live

VENUES = ["binance", "binance_usdm"]


async def begun(market: Live) -> None:
    """Wait for a first book and some updates of it."""
    await market.until(lambda: market.listener.usable and market.listener.count(BookDelta) > 3)


async def renewed(market: Live, keeper: SocketKeeper) -> None:
    """Have a socket replaced while it stands."""
    before = keeper.replaced
    keeper.renew()
    await market.until(lambda: keeper.replaced > before)


def market_sockets(market: Live) -> list[Socket]:
    """The sockets that carry the book."""
    return [each for each in market.emulator.hub.sockets if "stream" in each.path]


def tamper(market: Live, change: Any) -> None:
    """Let `change` say once what becomes of the next frame of depth."""
    hub: Any = market.emulator.hub.faults

    def frames(_socket: Socket, stream: str, frame: bytes) -> list[bytes]:
        if "@depth" not in stream:
            return [frame]
        del hub.frames
        return change(frame)

    hub.frames = frames


@pytest.mark.parametrize("venue", VENUES)
async def test_the_book_is_the_venues_at_every_update(venue: str) -> None:
    """From the first snapshot on, what we fold is the emulator's own book at each update id."""
    async with live(venue) as market:
        await begun(market)
        await market.until(lambda: market.listener.count(BookDelta) > 15)
        await market.level()
        assert market.listener.compared > 15
        assert not market.listener.count(FeedGapped)
        assert [fact.channel for fact in market.listener.of(FeedUp)] == ["public-1"]


LOST: dict[str, Any] = {
    "dropped": lambda _frame: [],
    "malformed": lambda frame: [frame[:-2]],
    "of another stream": lambda frame: [frame.replace(b"btcusdt@depth", b"btcusdt@dearth")],
    "with a price off the tick": lambda frame: [frame.replace(b'"b":[["', b'"b":[["0.000001')],
    "no text at all": lambda _frame: [b"\xff\xfe{"],
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("venue", VENUES)
async def test_a_lost_frame_is_one_gap(venue: str, name: str) -> None:
    """A frame that is missing or cannot be read is one gap; a new snapshot makes the book whole."""
    async with live(venue) as market:
        await begun(market)
        tamper(market, LOST[name])
        await market.until(lambda: market.listener.count(FeedResynced) > 0)
        await market.level()
        assert market.listener.count(FeedGapped) == 1
        assert market.listener.usable
        assert not market.listener.count(FeedDown)


async def test_a_frame_said_twice_is_heard_once() -> None:
    """A duplicate changes nothing and is no gap."""
    async with live() as market:
        await begun(market)
        tamper(market, lambda frame: [frame, frame])
        heard = market.listener.count(BookDelta)
        await market.until(lambda: market.listener.count(BookDelta) > heard + 3)
        assert not market.listener.count(FeedGapped)
        assert market.listener.ids == sorted(set(market.listener.ids))


async def test_a_cut_socket_is_dialled_again() -> None:
    """The connection is down, then up, and the book is joined anew; no frame is believed twice."""
    async with live() as market:
        await begun(market)
        for socket in market_sockets(market):
            socket.cut()
        await market.until(lambda: market.listener.count(FeedResynced) > 0)
        await market.level()
        kinds = [type(fact) for fact in market.listener.facts]
        assert kinds.index(FeedDown) < kinds.index(FeedResynced)
        assert market.listener.count(FeedUp) == 2
        assert market.listener.usable


async def test_a_silent_socket_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing heard for too long ends a socket that still answers pings; stale is told first."""
    monkeypatch.setattr("mm.gateways.venues.binance.market.SILENCE_MAX", Nanos(2 * SECONDS))
    async with live() as market:
        await begun(market)
        for socket in market_sockets(market):
            socket.silent = True
        await market.until(lambda: market.listener.count(FeedDown) > 0)
        assert "nothing was heard" in market.listener.of(FeedDown)[0].reason
        assert market.listener.count(FeedStale) == 1
        await market.until(lambda: market.listener.usable)


@pytest.mark.parametrize("venue", VENUES)
async def test_a_hundred_replacements_lose_nothing(venue: str) -> None:
    """Sockets replaced a hundred times under load: no gap, nothing down, nothing told twice."""
    async with live(venue, channels=("book", "quotes", "fills")) as market:
        await begun(market)
        (keeper, *_) = market.feed._keepers.values()
        for _ in range(100):
            await renewed(market, keeper)
        await market.level()
        assert market.feed.replaced >= 100
        for kind in (FeedGapped, FeedDown, FeedStale):
            assert not market.listener.count(kind)
        assert market.listener.ids == sorted(set(market.listener.ids))
        assert market.listener.compared > 100


async def test_without_room_the_book_is_a_gap_and_comes_back() -> None:
    """Facts that find no room are told as a gap once there is room, and joined anew."""
    async with live() as market:
        await begun(market)
        market.listener.room = False
        await market.until(lambda: market.feed.dropped > 3)
        market.listener.room = True
        await market.until(lambda: market.listener.count(FeedResynced) > 0)
        await market.level()
        assert market.listener.count(FeedGapped) == 1
        assert market.listener.usable


async def test_a_market_that_closes_is_down() -> None:
    """The list of instruments says that a market is closed: down; then open: up, and joined."""
    settings = msgspec.structs.replace(FAST, redefine_every=Nanos(SECONDS // 10))
    async with live(settings=settings) as market:
        await begun(market)
        listing: Any = market.feed._listing
        port: Any = market.feed._port
        closed = {market.feed.instruments[0].instrument: "the market is BREAK"}
        honest = port.closed
        port.closed = lambda _answers, _instruments: closed
        await market.until(lambda: market.listener.count(FeedDown) > 0)
        assert market.listener.of(FeedDown)[0].reason == "the market is BREAK"
        assert not market.listener.usable
        port.closed = honest
        await market.until(lambda: market.listener.usable)
        assert listing.instruments == market.feed.instruments
