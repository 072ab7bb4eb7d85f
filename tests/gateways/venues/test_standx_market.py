"""StandX's symbols, books, prices and trades, frame by frame and over a real socket."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.emulator.exchange import Exchange
from mm.emulator.faults import Kind, Rule
from mm.emulator.server import Running
from mm.emulator.standx.perps import StandxFront
from mm.errors import BadInput, ConfigError
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedUp,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    TradePrinted,
)
from mm.events.units import MILLIS, SECONDS, Nanos, Side
from mm.events.vocabulary import Fact
from mm.gateways.market_port import Frame, MarketPort, Renew, Request
from mm.gateways.questions import Outside
from mm.gateways.venue_feed import VenueFeed, known
from mm.gateways.venues.standx.listing import instruments
from mm.gateways.venues.standx.market import CHANNEL, StandxMarket, StandxParser
from mm.projections.book import Book, Books
from tests.emulator.venue import BTCUSDT, printed, reached
from tests.gateways.live_market import FAST, LEVELS, PATIENCE, Truth
from tests.gateways.venues.standx_desk import bitcoin, opened

START = Nanos(1_732_224_000_000_000_000)
STAMP = "2024-11-21T21:20:00.000001Z"
INFO = {
    "symbol": "BTC-USD",
    "base_asset": "BTC",
    "quote_asset": "DUSD",
    "price_tick_decimals": 2,
    "qty_tick_decimals": 4,
    "min_order_qty": "0.0010",
    "max_order_qty": "100",
    "maker_fee": "0.0001",
    "taker_fee": "0.0004",
    "enabled": True,
}
Rows = list[list[str]]


def listed(**changes: Any) -> Frame:
    """The list of symbols with one in it, some of whose fields are changed."""
    return Frame(START, "symbols", json.dumps([INFO | changes]).encode())


def parser() -> StandxParser:
    """A parser of BTC-USD whose connection stands."""
    made = StandxMarket().parser((bitcoin(),))
    made.connected(CHANNEL, START)
    return made


def frame(seq: int, channel: str, data: dict[str, Any], at: int = 0) -> Frame:
    """Something said of BTC-USD."""
    body = {"seq": seq, "channel": channel, "symbol": "BTC-USD", "data": data}
    return Frame(Nanos(START + at), CHANNEL, json.dumps(body).encode())


def book(seq: int, bids: Rows, asks: Rows, at: int = 0) -> Frame:
    """A whole book."""
    return frame(seq, "depth_book", {"bids": bids, "asks": asks, "symbol": "BTC-USD"}, at)


BIDS = [["99.00", "1"], ["100.00", "2"]]
ASKS = [["102.00", "3"], ["101.00", "4"]]


# -- symbols -----------------------------------------------------------------------------------


def test_symbol_is_an_instrument() -> None:
    """A perpetual margined in DUSD, with its steps, minimum and fees."""
    (defined,) = instruments((listed(),), ("BTC-USD",))
    assert defined.name == "standx:BTC-USD"
    assert (defined.kind, defined.settle) == (ContractKind.LINEAR, "DUSD")
    assert (defined.tick_size, defined.lot_size) == (Decimal("0.01"), Decimal("0.0001"))
    assert (defined.size_min, defined.size_max) == (10, 1_000_000)
    assert (defined.maker_fee, defined.taker_fee) == (Decimal("0.0001"), Decimal("0.0004"))
    assert defined.funding_interval == 3_600 * SECONDS


def test_unknown_symbol_is_refused() -> None:
    """With how symbols are written."""
    with pytest.raises(ConfigError, match="BTCUSDT is not listed"):
        instruments((listed(),), ("BTCUSDT",))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"code":500,"message":"internal"}',
        b'[{"symbol":"BTC-USD"}]',
        listed(price_tick_decimals=-1).body,
        listed(min_order_qty="0.00001").body,
        listed(min_order_qty="many").body,
    ],
)
def test_damaged_list_of_symbols_is_refused(body: bytes) -> None:
    """With an error that says what it is."""
    with pytest.raises(BadInput):
        instruments((Frame(START, "symbols", body),), ("BTC-USD",))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"status": "trading"}, None),
        ({"status": "halted"}, "the market is halted"),
        ({"enabled": False}, "the market is disabled"),
        ({"symbol": "ETH-USD"}, "the market is not listed"),
    ],
)
def test_closed_market_is_named(changes: dict[str, Any], reason: str | None) -> None:
    """With why it is closed."""
    found = StandxMarket().closed((listed(**changes),), (bitcoin(),))
    assert found.get(BTCUSDT) == reason


def test_port_is_a_market_port_whose_connection_carries_all() -> None:
    """Every subscription is said on one socket."""
    port: MarketPort = StandxMarket()
    (only,) = port.connections((bitcoin(),))
    assert only.url.split("/")[2] in port.hosts
    said = [json.loads(each)["subscribe"] for each in only.hello]
    assert said == [
        {"channel": channel, "symbol": "BTC-USD"}
        for channel in ("depth_book", "price", "public_trade")
    ]
    (poll,) = port.polls(only, (bitcoin(),))
    assert poll.url.endswith("query_depth_book?symbol=BTC-USD")


# -- frames ------------------------------------------------------------------------------------


def test_first_book_is_a_snapshot_and_the_next_a_change() -> None:
    """Levels come in no order; what is gone has no size, what stayed is not told."""
    made = parser()
    (whole,) = made.parse(book(3, BIDS, ASKS))
    assert isinstance(whole, BookSnapshot)
    assert whole.bids == (10_000, 20_000, 9_900, 10_000)
    assert whole.asks == (10_100, 40_000, 10_200, 30_000)
    (delta,) = made.parse(book(7, [["100.00", "5"]], ASKS, 1))
    assert isinstance(delta, BookDelta)
    assert dict(zip(delta.bids[::2], delta.bids[1::2], strict=True)) == {9_900: 0, 10_000: 50_000}
    assert delta.asks == ()
    assert (whole.sequence, delta.previous, delta.first, delta.last) == (3, 3, 4, 7)


def test_number_that_runs_back_is_a_whole_book_anew() -> None:
    """The venue counts anew: nothing is missing, for the frame is whole, and ours go on."""
    made = parser()
    made.parse(book(9, BIDS, ASKS))
    (again,) = made.parse(book(2, [["98.00", "1"]], ASKS, 1))
    assert isinstance(again, BookSnapshot)
    assert (again.sequence, again.bids) == (10, (9_800, 10_000))
    (delta,) = made.parse(book(3, [["98.00", "2"]], ASKS, 2))
    assert isinstance(delta, BookDelta)
    assert (delta.previous, delta.last) == (10, 11)
    assert made.decoders["BTC-USD"].resyncs == 1


def test_frame_that_a_second_socket_heard_before_is_passed_over() -> None:
    """The book that we have is newer."""
    made = parser()
    made.parse(book(9, BIDS, ASKS, 5))
    assert made.parse(book(2, [["98.00", "1"]], ASKS, 4)) == []
    assert made.parse(book(9, BIDS, ASKS, 6)) == []


def test_damaged_book_is_a_gap_until_the_next_frame() -> None:
    """The parser is as it was before; whoever was told of the gap is told of its end."""
    made = parser()
    made.parse(book(3, BIDS, ASKS))
    with pytest.raises(BadInput):
        made.parse(book(4, [["103.00", "1"]], ASKS, 1))
    (gap,) = made.missed(CHANNEL, START, "crossed")
    assert isinstance(gap, FeedGapped)
    assert made.missed(CHANNEL, START, "again") == []
    whole, mended = made.parse(book(5, BIDS, ASKS, 2))
    assert isinstance(whole, BookSnapshot)
    assert isinstance(mended, FeedResynced)


@pytest.mark.parametrize(
    "rows",
    [
        [["100.00", "1"], ["100.00", "2"]],
        [["100.001", "1"]],
        [["100.00", "-1"]],
        [["100.00", "0.00001"]],
        [["0", "1"]],
        [["100.00"]],
    ],
)
def test_levels_that_cannot_be_are_refused(rows: Rows) -> None:
    """Twice the same price, off the steps, negative, or half a level."""
    with pytest.raises(BadInput):
        parser().parse(book(1, rows, ASKS))


@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=30))
def test_what_is_told_folds_to_every_book(seeds: list[int]) -> None:
    """Whatever the numbers do, our book is the frame's after each of them."""
    made, folded, last = parser(), Book(), 0
    for at, seed in enumerate(seeds, start=1):
        chance = random.Random(seed)
        bids = {9_000 + chance.randrange(40): chance.randrange(1, 9) for _ in range(6)}
        asks = {9_100 + chance.randrange(40): chance.randrange(1, 9) for _ in range(6)}
        sides = [[[f"{p / 100}", f"{q}"] for p, q in side.items()] for side in (bids, asks)]
        for fact in made.parse(book(chance.randrange(1, 5), sides[0], sides[1], at)):
            assert isinstance(fact, BookSnapshot | BookDelta)
            if isinstance(fact, BookSnapshot):
                folded.snapshot(fact, fact.received)
                last_now = fact.sequence
            else:
                assert fact.previous == last
                folded.delta(fact, fact.received)
                last_now = fact.last
            assert last_now > last
            last = last_now
        assert dict(folded.bids(50)) == {p: q * 10_000 for p, q in bids.items()}
        assert dict(folded.asks(50)) == {p: q * 10_000 for p, q in asks.items()}


def test_price_is_mark_and_index() -> None:
    """Finer than a tick; what is older than what was told is passed over."""
    made = parser()
    said = {"mark_price": "60000.123456", "index_price": "59999.5", "time": STAMP}
    mark, index = made.parse(frame(1, "price", said))
    assert isinstance(mark, MarkPublished)
    assert isinstance(index, IndexPublished)
    assert (mark.price, index.price) == (Decimal("60000.123456"), Decimal("59999.5"))
    assert mark.venue_time == START + 1_000
    assert made.parse(frame(2, "price", said)) == []


@pytest.mark.parametrize("said", [{"mark_price": "0"}, {"index_price": "NaN"}, {"time": "now"}])
def test_damaged_price_is_refused(said: dict[str, str]) -> None:
    """Zero, no number, no time."""
    good = {"mark_price": "1", "index_price": "1", "time": STAMP}
    with pytest.raises(BadInput):
        parser().parse(frame(1, "price", good | said))


def trade(number: int, **changes: Any) -> Frame:
    """A public trade."""
    data = {
        "id": number,
        "price": "60000.10",
        "qty": "0.25",
        "side": "sell",
        "time": START // MILLIS,
    }
    return frame(number, "public_trade", data | changes)


def test_trade_is_told_once_with_the_takers_side() -> None:
    """In either of the ways that the venue writes it."""
    made = parser()
    (fact,) = made.parse(trade(7))
    assert isinstance(fact, TradePrinted)
    assert (fact.price, fact.size, fact.aggressor) == (6_000_010, 2_500, Side.SELL)
    assert (fact.trade_id, fact.venue_time) == ("7", START)
    assert made.parse(trade(7)) == []
    (bought,) = made.parse(trade(8, side="", is_buyer_taker=True, time=STAMP))
    assert isinstance(bought, TradePrinted)
    assert (bought.aggressor, bought.venue_time) == (Side.BUY, START + 1_000)


@pytest.mark.parametrize("changes", [{"side": "none"}, {"qty": "0"}, {"price": "0"}, {"time": "?"}])
def test_damaged_trade_is_refused_with_its_frame(changes: dict[str, Any]) -> None:
    """And the number is not used up."""
    made = parser()
    with pytest.raises(BadInput):
        made.parse(trade(8, **changes))
    assert len(made.parse(trade(8))) == 1


def test_funding_is_asked_for_and_told_when_it_changes() -> None:
    """No stream has it."""
    made = parser()
    (wish,) = made.wants(START)
    assert isinstance(wish, Request)
    assert made.wants(START) == []
    said = {"symbol": "BTC-USD", "funding_rate": "0.0000125"}
    said |= {"next_funding_time": "2024-11-21T22:00:00Z", "time": STAMP}
    answer = Frame(START, wish.channel, json.dumps(said).encode())
    (funding,) = made.parse(answer)
    assert isinstance(funding, FundingPublished)
    assert (funding.rate, funding.due) == (Decimal("0.0000125"), START + 2_400 * SECONDS)
    assert made.parse(answer) == []
    assert len(made.wants(Nanos(START + 61 * SECONDS))) == 1


def test_complaint_of_the_socket_asks_for_another() -> None:
    """Whatever it means, on a new one everything begins anew."""
    made = parser()
    body = b'{"code":408,"message":"disconnecting due to not receive Pong"}'
    assert made.parse(Frame(START, CHANNEL, body)) == []
    assert made.wants(START)[1:] == [Renew(channel=CHANNEL)]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"seq":1,"channel":"depth_book"', b"\xff"])
def test_frame_that_cannot_be_read_is_refused(body: bytes) -> None:
    """With an error of its own kind."""
    with pytest.raises(BadInput):
        parser().parse(Frame(START, CHANNEL, body))
    with pytest.raises(BadInput, match="unknown channel"):
        parser().parse(frame(1, "candle", {}))
    with pytest.raises(BadInput, match="unknown channel"):
        parser().parse(Frame(START, "other", b"{}"))


def test_connections_are_told() -> None:
    """Up, down, and down but once."""
    made = parser()
    (down,) = made.disconnected(CHANNEL, START, "gone")
    assert isinstance(down, FeedDown)
    assert made.disconnected(CHANNEL, START, "gone") == []
    (up,) = made.connected(f"poll/{CHANNEL}", START)
    assert isinstance(up, FeedUp)
    body = json.dumps({"bids": BIDS, "asks": ASKS, "symbol": "BTC-USD"}).encode()
    whole, mended = made.parse(Frame(START, "poll/book/BTC-USD", body))
    assert isinstance(whole, BookSnapshot)
    assert isinstance(mended, FeedResynced)


# -- over a socket -----------------------------------------------------------------------------


class Live:
    """A feed from an emulated StandX, folded as it comes."""

    def __init__(self, exchange: Exchange, running: Running, feed: VenueFeed) -> None:
        """Fold what the feed will say."""
        self.exchange = exchange
        self.truth = Truth(exchange)
        self.running = running
        self.feed = feed
        self.facts: list[Fact] = []
        self._books = Books()
        self._routes = self._books.routes()
        self.definition: InstrumentDefined = bitcoin()

    def offer(self, received: Nanos, facts: Any) -> bool:
        """Take facts."""
        for fact in facts:
            self.facts.append(fact)
            folded = self._routes.get(type(fact))
            if folded is not None:
                folded(fact, received)
        return True

    def of(self, kind: type) -> list[Any]:
        """What was heard of a kind."""
        return [each for each in self.facts if isinstance(each, kind)]

    def is_even(self) -> bool:
        """Whether our book is the venue's."""
        ours, theirs = self._books.of(BTCUSDT), self.truth.listing.book
        return (
            ours.has_depth
            and not ours.gapped
            and all(
                getattr(ours, side)(LEVELS) == getattr(theirs, side)(LEVELS)
                for side in ("bids", "asks")
            )
        )

    async def until(self, holds: Any) -> None:
        """Wait for something."""
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110  The feed is watched, it tells nobody.
                await asyncio.sleep(0.005)


@asynccontextmanager
async def live() -> AsyncIterator[Live]:
    """A feed that runs."""
    exchange, _ = opened()
    async with reached(StandxFront(exchange)) as there:
        outside = Outside(session=there.session, now=exchange.now)
        port = StandxMarket()
        feed = VenueFeed(port, outside, await known(port, outside, ("BTC-USD",)), settings=FAST)
        made = Live(exchange, there.running, feed)
        task = asyncio.create_task(feed.run(made.offer))
        try:
            await made.until(made.is_even)
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_book_and_trades_are_the_venues() -> None:
    """Over a real socket, with the mark, and the funding that is asked for."""
    async with live() as venue:
        assert venue.feed.instruments[0].name == "standx:BTC-USD"
        await venue.truth.play(200)
        venue.exchange.tell(printed(1, 6_000_000, 500, Side.BUY, at=venue.exchange.now()))
        await venue.until(lambda: venue.is_even() and venue.of(TradePrinted))
        await venue.until(lambda: venue.of(FundingPublished) and venue.of(MarkPublished))
        assert venue.of(FeedGapped) == []
        assert venue.of(BookDelta)


async def test_lost_and_damaged_frames_leave_no_wrong_book() -> None:
    """A dropped frame is mended by the next one, a damaged one is a gap until then."""
    async with live() as venue:
        venue.running.hub.faults.add(
            [
                Rule(kind=Kind.DROP, stream="depth_book", probability=0.3, count=0),
                Rule(kind=Kind.MALFORM, stream="depth_book", probability=0.1, count=0),
            ]
        )
        await venue.truth.play(200)
        venue.running.hub.faults.clear()
        venue.truth.step()
        await venue.until(venue.is_even)
        assert len(venue.of(FeedGapped)) == len(venue.of(FeedResynced)) > 0


async def test_cut_socket_is_dialled_again_and_its_numbers_begin_anew() -> None:
    """Down, up, and the whole book; ours never run back."""
    async with live() as venue:
        await venue.truth.play(20)
        await venue.until(venue.is_even)
        for socket in tuple(venue.running.hub.sockets):
            socket.cut()
        await venue.until(lambda: len(venue.of(FeedUp)) > 1)
        await venue.truth.play(20)
        await venue.until(venue.is_even)
        assert venue.of(FeedDown)
        numbers = [
            each.last if isinstance(each, BookDelta) else each.sequence
            for each in venue.facts
            if isinstance(each, BookSnapshot | BookDelta)
        ]
        assert numbers == sorted(set(numbers))


async def test_replaced_socket_is_no_gap() -> None:
    """Another socket counts from one: the whole book is told, and nothing is missing."""
    async with live() as venue:
        for keeper in venue.feed._keepers.values():
            keeper.renew()
        async with asyncio.timeout(PATIENCE):
            while not venue.feed.replaced:
                await venue.truth.play(5, 0.005)
        await venue.until(venue.is_even)
        assert venue.of(FeedGapped) == venue.of(FeedDown) == []


def test_other_symbols_are_not_heard() -> None:
    """Nor do they disturb."""
    made = parser()
    other = book(1, BIDS, ASKS)._replace(
        body=b'{"seq":1,"channel":"depth_book","symbol":"ETH-USD","data":{"bids":[],"asks":[]}}'
    )
    assert made.parse(other) == []
    assert len(made.parse(book(2, BIDS, ASKS))) == 1
