"""Kraken's pairs, trades, candles and states, and what is said to subscribe to them."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mm.errors import BadInput, ConfigError
from mm.events.market import CandleClosed, FeedDown, FeedUp, QuoteUpdated, TradePrinted
from mm.events.units import SECONDS, InstrumentId, Side
from mm.gateways.market_port import Frame, MarketPort
from mm.gateways.moments import nanos
from mm.gateways.venues.kraken.market import PAIRS_MAX, KrakenMarket, Streams
from mm.gateways.venues.kraken.pairs import instruments
from tests.gateways.venues.kraken_frames import (
    CHANNEL,
    STAMP,
    START,
    Market,
    bitcoin,
    frame,
    listed,
    parser,
)


def test_pair_is_an_instrument() -> None:
    """Steps, minima, fees and names of the lowest tier."""
    defined = bitcoin()
    assert defined.name == "kraken:BTC/USD"
    assert (defined.base, defined.quote, defined.settle) == ("BTC", "USD", "USD")
    assert (defined.tick_size, defined.lot_size) == (Decimal("0.1"), Decimal("1e-8"))
    assert (defined.size_min, defined.notional_min) == (5_000, Decimal("0.5"))
    assert (defined.maker_fee, defined.taker_fee) == (Decimal("0.0025"), Decimal("0.0040"))


def test_tick_keeps_the_decimals_of_the_pair() -> None:
    """The checksum counts decimals that the tick itself does not need."""
    (defined,) = instruments((listed(pair_decimals=2, tick_size="0.5"),), ("BTC/USD",))
    assert str(defined.tick_size) == "0.50"
    (coarse,) = instruments((listed(pair_decimals=0, tick_size="10"),), ("BTC/USD",))
    assert str(coarse.tick_size) == "10"


def test_unknown_or_closed_pair_is_refused() -> None:
    """By a name that is not there, or one whose market is closed."""
    with pytest.raises(ConfigError, match="XBT/USD is not listed"):
        instruments((listed(),), ("XBT/USD",))
    with pytest.raises(ConfigError, match="BTC/USD is cancel_only"):
        instruments((listed(status="cancel_only"),), ("BTC/USD",))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"error":["EService:Unavailable"]}',
        b'{"error":[],"result":{"A":{"altname":"A"}}}',
        listed(pair_decimals=-1).body,
        listed(pair_decimals=1, tick_size="0.05").body,
        listed(ordermin="0.000000001").body,
        listed(tick_size="0").body,
    ],
)
def test_damaged_list_of_pairs_is_refused(body: bytes) -> None:
    """With an error that says what it is."""
    with pytest.raises(BadInput):
        instruments((Frame(START, "pairs", body),), ("BTC/USD",))


def test_port_is_a_market_port_whose_connections_carry_all() -> None:
    """So many pairs a socket, and every subscription said on it."""
    port: MarketPort = KrakenMarket(Streams(depth=25, candles=5, ticker=True))
    pairs = tuple(
        msgspec.structs.replace(bitcoin(), instrument=InstrumentId(n), symbol=f"P{n}/USD")
        for n in range(1, PAIRS_MAX + 2)
    )
    first, second = port.connections(pairs)
    assert (len(first.instruments), second.instruments) == (PAIRS_MAX, (PAIRS_MAX + 1,))
    assert {each.url.split("/")[2] for each in (first, second)} <= set(port.hosts)
    said = [json.loads(each)["params"] for each in second.hello]
    symbol = ["P41/USD"]
    assert said == [
        {"channel": "book", "depth": 25, "symbol": symbol},
        {"channel": "trade", "snapshot": True, "symbol": symbol},
        {"channel": "ticker", "event_trigger": "bbo", "symbol": symbol},
        {"channel": "ohlc", "interval": 5, "symbol": symbol},
        {"channel": "instrument"},
    ]


def test_depth_that_is_not_offered_is_refused() -> None:
    """With those that are."""
    with pytest.raises(ConfigError, match="10, 25, 100, 500, 1000"):
        KrakenMarket(Streams(depth=50))


def trades(kind: str, *numbers: int, **changes: Any) -> Frame:
    """A frame of trades with these numbers."""
    row = {"symbol": "BTC/USD", "side": "sell", "price": 60000.1, "qty": 0.25, "timestamp": STAMP}
    data = [row | {"trade_id": number} | changes for number in numbers]
    return frame({"channel": "trade", "type": kind, "data": data})


def test_trade_is_told_with_the_takers_side() -> None:
    """Price and size whole, the venue's time in nanoseconds."""
    (fact,) = parser().parse(trades("update", 7))
    assert isinstance(fact, TradePrinted)
    assert (fact.price, fact.size, fact.aggressor) == (600_001, 25_000_000, Side.SELL)
    assert (fact.trade_id, fact.venue_time) == ("7", START + 1_000)


def test_trades_of_an_outage_come_with_the_next_snapshot() -> None:
    """Each once and in order; what was before we first listened is passed over."""
    made = parser()
    assert made.parse(trades("snapshot", 2, 1)) == []
    heard = [*made.parse(trades("update", 3)), *made.parse(trades("snapshot", 5, 4, 3, 2))]
    assert [fact.trade_id for fact in heard if isinstance(fact, TradePrinted)] == ["3", "4", "5"]


@pytest.mark.parametrize(
    "changes", [{"side": "none"}, {"qty": 0}, {"price": 0}, {"timestamp": "yesterday"}]
)
def test_damaged_trade_is_refused_with_its_frame(changes: dict[str, Any]) -> None:
    """And the number is not used up."""
    made = parser()
    with pytest.raises(BadInput):
        made.parse(trades("update", 8, **changes))
    assert len(made.parse(trades("update", 8))) == 1


def candle(minute: int, close: float) -> dict[str, Any]:
    """A candle of one minute."""
    row = {"symbol": "BTC/USD", "open": 60000.0, "high": 60010.0, "low": 59990.0, "close": close}
    begin = f"2024-11-21T21:{minute:02}:00.000000000Z"
    return row | {"trades": 3, "volume": 1.5, "interval_begin": begin, "interval": 1}


def test_candle_is_told_when_the_next_has_begun() -> None:
    """As it was last; a later snapshot repeats none."""
    made = parser()
    rows = [candle(1, 60001.0), candle(2, 60002.0)]
    (first,) = made.parse(frame({"channel": "ohlc", "type": "snapshot", "data": rows}))
    assert isinstance(first, CandleClosed)
    assert (first.close, first.volume, first.interval) == (600_010, 150_000_000, 60 * SECONDS)
    updates = [candle(2, 60003.0), candle(3, 60004.0)]
    heard = [
        fact
        for row in updates
        for fact in made.parse(frame({"channel": "ohlc", "type": "update", "data": [row]}))
    ]
    assert [fact.close for fact in heard if isinstance(fact, CandleClosed)] == [600_030]
    again = made.parse(frame({"channel": "ohlc", "type": "snapshot", "data": [*rows, *updates]}))
    assert again == []


def test_best_prices_are_told() -> None:
    """As the ticker has them."""
    row = {"symbol": "BTC/USD", "bid": 60000.0, "bid_qty": 1.0, "ask": 60000.5, "ask_qty": 2.0}
    (fact,) = parser().parse(frame({"channel": "ticker", "type": "update", "data": [row]}))
    assert isinstance(fact, QuoteUpdated)
    assert (fact.bid, fact.bid_size) == (600_000, 100_000_000)
    assert (fact.ask, fact.ask_size) == (600_005, 200_000_000)


@pytest.mark.parametrize(
    ("shut", "opened"),
    [
        (
            {"channel": "status", "type": "update", "data": [{"system": "maintenance"}]},
            {"channel": "status", "type": "update", "data": [{"system": "online"}]},
        ),
        (
            {
                "channel": "instrument",
                "type": "update",
                "data": {"pairs": [{"symbol": "BTC/USD", "status": "cancel_only"}]},
            },
            {
                "channel": "instrument",
                "type": "update",
                "data": {"pairs": [{"symbol": "BTC/USD", "status": "online"}]},
            },
        ),
    ],
)
def test_closed_market_is_a_feed_that_is_down(shut: dict[str, Any], opened: dict[str, Any]) -> None:
    """Until it says that it is open; then the book is subscribed to anew."""
    market, made = Market(1), parser()
    made.parse(frame(market.snapshot()))
    (down,) = made.parse(frame(shut))
    assert isinstance(down, FeedDown)
    assert made.wants(START) == []
    (up,) = made.parse(frame(opened))
    assert isinstance(up, FeedUp)
    assert len(made.wants(START)) == 2
    assert len(made.parse(frame(market.snapshot()))) == 2


def test_refused_subscription_is_a_feed_that_is_down() -> None:
    """And it is not said again, for the answer would be the same."""
    made = parser()
    reply = {"method": "subscribe", "success": False, "symbol": "BTC/USD"}
    assert made.parse(frame(reply | {"error": "Already subscribed"})) == []
    (down,) = made.parse(frame(reply | {"error": "Currency pair not supported BTC/USD"}))
    assert isinstance(down, FeedDown)
    assert "not supported" in down.reason
    assert made.wants(START) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"channel":"heartbeat"}',
        b'{"method":"pong","time_in":"2024-11-21T21:20:00.000001Z","req_id":1}',
        b'{"method":"subscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true}',
    ],
)
def test_what_says_nothing_of_the_market_is_passed_over(body: bytes) -> None:
    """Heartbeats, pongs and acknowledgements."""
    assert parser().parse(frame(body)) == []


def test_frame_of_an_unknown_connection_is_refused() -> None:
    """It cannot be told whose books it changes."""
    with pytest.raises(BadInput, match="unknown channel"):
        parser().parse(Frame(START, "public-2", Market(1).snapshot()))
    assert parser().disconnected(CHANNEL, START, "gone") != []


def test_moments_are_exact_to_the_nanosecond() -> None:
    """With none to nine digits of a second."""
    assert nanos("2024-11-21T21:20:00.123456789Z") == START + 123_456_789
    assert nanos("2024-11-21T21:20:59.1Z") == START + 59_100_000_000
