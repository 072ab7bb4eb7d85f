"""Market data: what is told is what the venue had, or that it was lost.

Every check runs for every venue against its emulator.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from mm.emulator.faults import Kind, Rule
from mm.errors import BadInput, ConfigError
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedStale,
    FeedUp,
    TradePrinted,
)
from mm.events.units import MILLIS, SECONDS, Nanos, Side
from mm.gateways.market_port import Frame
from mm.gateways.questions import Outside
from mm.gateways.venue_feed import known
from mm.gateways.verdicts import VenueSaid
from tests.conformance.market import Live, live
from tests.emulator.venue import opened, printed, reached

if TYPE_CHECKING:
    from mm.gateways.sockets import SocketKeeper
    from tests.conformance.venues import Place


async def test_instrument_is_complete(place: Place) -> None:
    """Steps, minimum, kind and currencies are those of the venue."""
    async with live(place) as market:
        (found,), wanted = market.feed.instruments, place.terms
        assert found.name == f"{place.name}:{place.symbol}"
        for field in ("tick_size", "kind", "base", "quote", "settle", "notional_min"):
            assert getattr(found, field) == getattr(wanted, field), field
        assert found.lot_size * found.size_step == wanted.lot_size * wanted.size_step


async def test_unknown_symbol_is_refused(place: Place) -> None:
    """By its name, before anything is subscribed to."""
    exchange, _ = opened(place.terms, place.name)
    async with reached(place.front(exchange)) as there:
        with pytest.raises(ConfigError, match="NOSUCH"):
            await known(place.market(), Outside(session=there.session), ("NOSUCH",))


async def test_damaged_list_of_instruments_is_refused(place: Place) -> None:
    """A page of HTML, half an answer, another answer: an error of ours, never a guess."""
    port = place.market()
    for body in (b"<html></html>", b'{"symbols":[{', b"{}", b"[]", b""):
        answers = tuple(Frame(Nanos(1), each.channel, body) for each in port.definitions())
        with pytest.raises((BadInput, ConfigError)):
            port.instruments(answers, (place.symbol,))


async def test_list_of_instruments_that_is_refused_is_an_error(place: Place) -> None:
    """The venue's answer is told, not swallowed."""
    exchange, _ = opened(place.terms, place.name)
    async with reached(place.front(exchange)) as there:
        rule = Rule(kind=Kind.REFUSE, path=place.words.listing, status=503)
        there.running.hub.faults.add([rule])
        with pytest.raises(VenueSaid):
            await known(place.market(), Outside(session=there.session), (place.symbol,))


async def test_only_declared_hosts_are_dialled(place: Place) -> None:
    """Every address is encrypted, and of a host that the port names."""
    port = place.market()
    made = port.connections((place.definition,))
    asked = (*port.definitions(), *(each for one in made for each in port.polls(one, ())))
    for url in (*(each.url for each in made), *(each.url for each in asked)):
        address = urlsplit(url)
        assert address.scheme in ("https", "wss")
        assert address.hostname in port.hosts


async def test_book_is_the_venues_at_every_update(place: Place) -> None:
    """From the first snapshot on, what we fold is the emulator's own book after each update."""
    async with live(place) as market:
        await market.begun()
        await market.more(30)
        await market.level()
        assert market.heard.compared > 30
        assert not market.heard.of(FeedGapped, FeedDown)


async def test_feed_is_up_before_its_book(place: Place) -> None:
    """A connection is told before what it says, and each channel once."""
    async with live(place) as market:
        await market.begun()
        kinds = [type(each) for each in market.heard.facts]
        assert kinds.index(FeedUp) < kinds.index(BookSnapshot)
        channels = [each.channel for each in market.heard.of(FeedUp)]
        assert channels == list(dict.fromkeys(channels))


async def test_moving_market_is_joined_without_a_gap(place: Place) -> None:
    """Updates that come while the snapshot is asked for are kept and joined to it."""
    async with live(place) as market:
        market.fault(market.place.words.snapshot, kind=Kind.DELAY, seconds=0.3)
        await market.begun()
        await market.level()
        assert not market.heard.of(FeedGapped)
        assert len(market.heard.of(BookSnapshot)) == 1


async def test_snapshot_that_is_refused_is_asked_for_again(place: Place) -> None:
    """Twice, until the venue answers; until then there is no book."""
    async with live(place) as market:
        market.fault(market.place.words.snapshot, kind=Kind.REFUSE, count=2)
        await market.begun()
        await market.level()


async def test_lost_frame_is_one_gap(place: Place) -> None:
    """It is told as one, and a new snapshot makes the book whole."""
    async with live(place) as market:
        await market.begun()
        market.fault(place.words.book, kind=Kind.DROP)
        await market.until(lambda: market.heard.of(FeedResynced))
        await market.level()
        assert len(market.heard.of(FeedGapped)) == 1
        assert not market.heard.of(FeedDown)


async def test_gap_comes_before_its_end(place: Place) -> None:
    """Between the two no update is told before a new snapshot."""
    async with live(place) as market:
        await market.begun()
        market.fault(place.words.book, kind=Kind.DROP)
        await market.until(lambda: market.heard.of(FeedResynced))
        told = market.heard.of(FeedGapped, FeedResynced, BookDelta, BookSnapshot)
        kinds = [type(each) for each in told]
        gap = kinds.index(FeedGapped)
        assert kinds[gap + 1] is BookSnapshot
        assert kinds.index(FeedResynced) > gap


async def test_malformed_frame_is_one_gap(place: Place) -> None:
    """Half a frame ends nothing; what hung on it is a gap."""
    async with live(place) as market:
        await market.begun()
        market.fault(place.words.book, kind=Kind.MALFORM)
        await market.until(lambda: market.heard.of(FeedResynced))
        await market.level()
        assert len(market.heard.of(FeedGapped)) == 1


def _mended(market: Live, count: int) -> bool:
    return len(market.heard.of(FeedResynced)) >= count


async def test_gap_after_gap_is_mended(place: Place) -> None:
    """Three frames lost apart: each time whole again."""
    async with live(place) as market:
        await market.begun()
        for count in (1, 2, 3):
            market.fault(place.words.book, kind=Kind.DROP)
            await market.until(partial(_mended, market, count))
            await market.more()
        await market.level()


async def test_frame_said_twice_changes_nothing(place: Place) -> None:
    """The book stays right, and it is no gap."""
    async with live(place) as market:
        await market.begun()
        market.fault(place.words.book, kind=Kind.DUPLICATE, count=5)
        await market.more(12)
        await market.level()
        assert not market.heard.of(FeedGapped)


async def test_frames_out_of_order_never_make_a_wrong_book(place: Place) -> None:
    """They are told as a gap."""
    async with live(place) as market:
        await market.begun()
        market.fault(place.words.book, kind=Kind.SWAP)
        await market.until(lambda: market.heard.of(FeedResynced))
        await market.level()


async def test_cut_socket_is_dialled_again(place: Place) -> None:
    """Down, up, and the book is joined anew."""
    async with live(place) as market:
        await market.begun()
        market.cut()
        await market.until(lambda: market.heard.of(FeedResynced))
        await market.level()
        kinds = [type(each) for each in market.heard.of(FeedDown, FeedResynced)]
        assert kinds.index(FeedDown) < kinds.index(FeedResynced)


async def test_socket_that_the_venue_closes_is_dialled_again(place: Place) -> None:
    """With a proper farewell, too."""
    async with live(place) as market:
        await market.begun()
        market.fault(place.words.book, kind=Kind.CLOSE, code=1_001)
        await market.until(lambda: len(market.heard.of(BookSnapshot)) > 1)
        await market.more()
        await market.level()


async def test_venue_that_cannot_be_dialled_is_tried_again(place: Place) -> None:
    """Refused handshakes are not the end of a feed."""
    async with live(place) as market:
        await market.begun()
        port = place.market()
        for each in port.connections(market.feed.instruments):
            address = urlsplit(each.url)
            rule = {"host": address.hostname, "path": f"{address.path}*", "count": 2}
            market.fault(rule, kind=Kind.REFUSE, status=503)
        market.cut()
        await market.until(lambda: market.heard.of(FeedResynced))
        await market.level()


async def test_sockets_are_replaced_without_a_gap(place: Place) -> None:
    """Ten times under load: the new one stands before the old one goes."""

    def replaced(keeper: SocketKeeper, count: int) -> bool:
        return keeper.replaced >= count

    async with live(place) as market:
        await market.begun()
        for keeper in market.feed._keepers.values():
            before = keeper.replaced
            for count in range(1, 11):
                keeper.renew()
                await market.until(partial(replaced, keeper, before + count))
        await market.level()
        assert not market.heard.of(FeedGapped, FeedDown, FeedStale)


async def test_silent_socket_is_given_up(place: Place) -> None:
    """Nothing heard for too long, though pings are answered: down, dialled again, whole."""
    async with live(place, silence_max=Nanos(700 * MILLIS)) as market:
        await market.begun()
        for socket in market.running.hub.sockets:
            socket.silent = True
        await market.until(lambda: market.heard.of(FeedDown))
        assert "nothing was heard" in market.heard.of(FeedDown)[0].reason
        await market.until(lambda: market.heard.usable)
        await market.level()


async def test_stale_book_is_told(place: Place) -> None:
    """Before a silent socket is given up, what it carries is stale."""
    async with live(place, silence_max=Nanos(10 * SECONDS)) as market:
        await market.begun()
        for socket in market.running.hub.sockets:
            socket.silent = True
        await market.until(lambda: market.heard.of(FeedStale))
        assert not market.heard.of(FeedDown)


async def test_without_room_the_book_is_a_gap(place: Place) -> None:
    """What was not taken is told as a gap as soon as there is room, and joined anew."""
    async with live(place) as market:
        await market.begun()
        market.heard.room = False
        await market.until(lambda: market.feed.dropped > 3)
        market.heard.room = True
        await market.until(lambda: market.heard.of(FeedResynced))
        await market.level()
        assert market.heard.of(FeedGapped)


def _trade(market: Live, number: int, side: Side = Side.BUY, size: int = 10) -> None:
    exchange, step = market.truth.exchange, market.place.definition.tick_size
    exchange.tell(printed(number, int(60_000 / step), size, side, exchange.now()))


async def _trades(market: Live, count: int) -> list[TradePrinted]:
    await market.until(lambda: len(market.heard.of(TradePrinted)) >= count)
    return market.heard.of(TradePrinted)


async def test_trades_are_the_venues(place: Place) -> None:
    """Each with its price, size, taker's side and id."""
    async with live(place) as market:
        await market.begun()
        _trade(market, 1, Side.BUY, 10)
        await _trades(market, 1)
        _trade(market, 2, Side.SELL, 25)
        first, second = await _trades(market, 2)
        (defined,) = market.feed.instruments
        assert (first.aggressor, second.aggressor) == (Side.BUY, Side.SELL)
        assert [defined.size(each.size) for each in (first, second)] == [
            place.terms.size(10),
            place.terms.size(25),
        ]
        assert {defined.price(each.price) for each in (first, second)} == {60_000}
        assert first.trade_id != second.trade_id


async def test_trade_said_twice_is_told_once(place: Place) -> None:
    """The same frame again is the same trade."""
    async with live(place) as market:
        await market.begun()
        market.fault(place.words.trades, kind=Kind.DUPLICATE, count=0)
        for number in (1, 2, 3):
            _trade(market, number)
            await _trades(market, number)
        await market.more()
        assert len(market.heard.of(TradePrinted)) == 3


async def test_trades_are_told_once_over_a_replaced_socket(place: Place) -> None:
    """Two sockets at once say each trade twice; it is told once, and none is missing."""
    async with live(place) as market:
        await market.begun()
        for number in range(1, 6):
            for keeper in market.feed._keepers.values():
                keeper.renew()
            _trade(market, number)
            await _trades(market, number)
            await market.more()
        ids = [each.trade_id for each in market.heard.of(TradePrinted)]
        assert len(ids) == len(set(ids)) == 5


async def test_facts_carry_both_times(place: Place) -> None:
    """When it was heard, and when the venue says that it happened."""
    async with live(place) as market:
        await market.begun()
        for each in market.heard.of(BookDelta):
            assert each.received
            assert abs(each.received - each.venue_time) < 60 * SECONDS
