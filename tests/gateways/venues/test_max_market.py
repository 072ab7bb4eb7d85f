"""MAX's markets, books, trades, candles and states, and what is said to subscribe to them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import BadInput, ConfigError
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    CandleClosed,
    FeedDown,
    FeedGapped,
    FeedResynced,
    FeedUp,
    TradePrinted,
)
from mm.events.units import SECONDS, Nanos, Side
from mm.gateways.market_port import Frame, MarketPort, Say
from mm.gateways.venues.max.decoder import ANSWER_MAX
from mm.gateways.venues.max.listing import instruments
from mm.gateways.venues.max.market import MaxMarket, MaxParser
from tests.gateways.venues.max_frames import (
    CHANNEL,
    MILLIS,
    START,
    book,
    dollar,
    frame,
    listed,
    parser,
    whole,
)

NOW = Nanos(START)


def kinds(facts: Any) -> list[type]:
    """The types of facts."""
    return [type(fact) for fact in facts]


def test_market_is_an_instrument() -> None:
    """Steps, minima, fees, and names in capitals."""
    defined = dollar()
    assert defined.name == "max:usdttwd"
    assert (defined.base, defined.quote, defined.settle) == ("USDT", "TWD", "TWD")
    assert (defined.tick_size, defined.lot_size) == (Decimal("0.001"), Decimal("0.01"))
    assert (defined.size_min, defined.notional_min) == (800, Decimal(250))
    assert defined.fee_from_received


def test_precision_below_zero_counts_whole_steps() -> None:
    """A minimum between two lots is the next of them."""
    defined = dollar(base_unit_precision=-3, min_base_amount=1_500)
    assert (defined.lot_size, defined.size_min) == (Decimal(1_000), 2)


def test_market_that_is_not_there_is_refused() -> None:
    """By its name, or for the margin wallet where that does not trade it."""
    with pytest.raises(ConfigError, match="USDTTWD is not listed"):
        instruments("max", (listed(),), ("USDTTWD",))
    with pytest.raises(ConfigError, match="margin wallet"):
        instruments("max_margin", (listed(m_wallet_supported=False),), ("usdttwd",))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"success":false}',
        listed(base_unit_precision=99).body,
        listed(min_base_amount="much").body,
        listed(min_quote_amount=-1).body,
    ],
)
def test_damaged_list_of_markets_is_refused(body: bytes) -> None:
    """With an error that says what it is."""
    with pytest.raises(BadInput):
        instruments("max", (Frame(NOW, "markets", body),), ("usdttwd",))


def test_port_subscribes_to_all_on_one_socket() -> None:
    """The states of all markets, and what was chosen of each; while it is away, books are asked."""
    port: MarketPort = MaxMarket(channels=("book", "candles"), interval="5m")
    (connection,) = port.connections((dollar(),))
    assert connection.url.split("/")[2] in port.hosts
    (hello,) = connection.hello
    assert json.loads(hello)["subscriptions"] == [
        {"channel": "market_status"},
        {"channel": "book", "market": "usdttwd", "depth": 50},
        {"channel": "kline", "market": "usdttwd", "resolution": "5m"},
    ]
    (poll,) = port.polls(connection, (dollar(),))
    assert poll.url.endswith("/api/v3/depth?market=usdttwd&limit=50")


def test_channel_and_interval_that_are_not_offered_are_refused() -> None:
    """With those that are."""
    with pytest.raises(ConfigError, match="no channel marks"):
        MaxMarket(channels=("marks",))
    with pytest.raises(ConfigError, match="3m"):
        MaxMarket(interval="3m")


def test_book_is_a_snapshot_and_what_follows_it() -> None:
    """Whole numbers, the venue's ids and time; a volume of 0 removes."""
    made = parser()
    (first,) = made.parse(whole(10))
    assert isinstance(first, BookSnapshot)
    assert (first.sequence, first.bids) == (10, (31_500, 10_000, 31_499, 5_000))
    (delta,) = made.parse(book("update", 11, 13, [["31.500", "0"]], [["31.501", "1"]]))
    assert isinstance(delta, BookDelta)
    assert (delta.first, delta.last, delta.previous) == (11, 13, 10)
    assert (delta.bids, delta.asks) == ((31_500, 0), (31_501, 100))
    assert delta.venue_time == START


def test_update_that_the_book_contains_changes_nothing() -> None:
    """And one that only begins in it is told from where the book stands."""
    made = parser()
    made.parse(whole(10))
    assert made.parse(book("update", 9, 10, [["31.500", "1"]])) == []
    (delta,) = made.parse(book("update", 10, 12, [["31.500", "1"]]))
    assert isinstance(delta, BookDelta)
    assert (delta.first, delta.last) == (11, 12)


LOST: dict[str, Frame] = {
    "a hole": book("update", 12, 12, [["31.500", "1"]]),
    "another version": book("update", 11, 11, [["31.500", "1"]], v=8),
    "a crossed book": book("update", 11, 11, [["31.502", "1"]]),
    "an empty snapshot": book("snapshot", 11, 11),
    "a crossed snapshot": book("snapshot", 11, 11, [["31.502", "1"]], [["31.502", "1"]]),
    "an error": frame({"e": "error", "E": ["E-1003: invalid subscription"]}),
}


@pytest.mark.parametrize("name", LOST)
def test_book_that_cannot_be_believed_is_a_gap(name: str) -> None:
    """Nothing leaves before a new snapshot, which is subscribed to once."""
    made = parser()
    made.parse(whole(10))
    assert kinds(made.parse(LOST[name])) == [FeedGapped]
    assert made.parse(book("update", 12, 13, [["31.498", "1"]])) == []
    said = made.wants(NOW)
    texts = [json.loads(each.text) for each in said if isinstance(each, Say)]
    assert [text["action"] for text in texts] == ["unsub", "sub"]
    assert made.wants(NOW) == []
    assert kinds(made.parse(whole(20, v=9))) == [BookSnapshot, FeedResynced]
    assert kinds(made.parse(book("update", 21, 21, [["31.500", "1"]], v=9))) == [BookDelta]


def test_hole_names_what_is_missing() -> None:
    """The id that was wanted, and the one that came."""
    made = parser()
    made.parse(whole(10))
    (gap,) = made.parse(book("update", 14, 15, [["31.500", "1"]]))
    assert isinstance(gap, FeedGapped)
    assert (gap.wanted, gap.got) == (11, 14)


def test_snapshot_that_does_not_come_is_asked_for_again() -> None:
    """After a while, and not before."""
    made = parser()
    assert made.wants(Nanos(START + ANSWER_MAX - 1)) == []
    assert len(made.wants(Nanos(START + ANSWER_MAX))) == 2


def test_book_that_will_not_mend_is_asked_for_less_and_less() -> None:
    """Twice as long each time."""
    made = parser()
    for pause in (0, 1, 3):
        made.parse(book("snapshot", 11, 11))
        assert made.wants(Nanos(START + pause * SECONDS - 1)) == []
        assert len(made.wants(Nanos(START + pause * SECONDS))) == 2


def test_newer_snapshot_replaces_the_book_and_an_older_one_does_not() -> None:
    """As they come when one socket takes over from another."""
    made = parser()
    made.parse(whole(10))
    assert made.parse(whole(9)) == []
    assert kinds(made.parse(whole(12))) == [BookSnapshot]
    assert kinds(made.parse(book("update", 13, 13, [["31.500", "1"]]))) == [BookDelta]


@pytest.mark.parametrize(
    "changes", [{"a": [["31.50", "-1"]]}, {"b": [["31.5005", "1"]]}, {"fi": -1}, {"T": "now"}]
)
def test_damaged_frame_is_refused_and_changes_nothing(changes: dict[str, Any]) -> None:
    """What follows is believed as before."""
    made = parser()
    made.parse(whole(10))
    with pytest.raises(BadInput):
        made.parse(book("update", 11, 11, **changes))
    assert kinds(made.parse(book("update", 11, 11, [["31.500", "1"]]))) == [BookDelta]


Change = tuple[int, int]
prices = st.integers(31_400, 31_600)


@given(st.lists(st.lists(st.tuples(prices, st.integers(0, 9)), max_size=4), max_size=12))
def test_any_updates_give_the_same_book_however_they_are_cut(turns: list[list[Change]]) -> None:
    """Bids that come one by one, or many in a frame, make one book of the same levels."""
    one, many = parser(), parser()
    rows = [(price, size) for turn in turns for price, size in turn if price < 31_502]
    texts = [[f"{price / 1000:.3f}", f"{size}"] for price, size in rows]
    found = []
    for made, frames in (
        (one, [[text] for text in texts]),
        (many, [texts] if texts else []),
    ):
        folded: dict[int, int] = {}
        made.parse(book("snapshot", 10, 10, [], [["31.502", "1"]]))
        last = 10
        for each in frames:
            first, last = last + 1, last + len(each)
            for fact in made.parse(book("update", first, last, each)):
                assert isinstance(fact, BookDelta)
                folded |= dict(zip(fact.bids[::2], fact.bids[1::2], strict=True))
        found.append({price: size for price, size in folded.items() if size})
    assert found[0] == found[1]


def trades(event: str, *rows: tuple[int, str, str], **changes: Any) -> Frame:
    """A frame of trades: milliseconds after the start, price, trend."""
    told = [
        {"p": price, "v": "1.5", "T": MILLIS + at, "tr": trend} | changes
        for at, price, trend in rows
    ]
    return frame({"c": "trade", "e": event, "M": "usdttwd", "t": told, "T": MILLIS})


def test_trade_is_told_with_the_takers_side() -> None:
    """Its number is made of its time, for the venue gives none."""
    (fact,) = parser().parse(trades("update", (0, "31.5", "down")))
    assert isinstance(fact, TradePrinted)
    assert (fact.price, fact.size, fact.aggressor) == (31_500, 150, Side.SELL)
    assert (fact.trade_id, fact.venue_time) == (f"{MILLIS * 1_000}", START)


def test_two_trades_of_one_moment_are_two() -> None:
    """Alike in one frame they are two; the same frame again tells nothing."""
    made = parser()
    both = trades("update", (0, "31.5", "up"), (0, "31.5", "up"), (0, "31.4", "up"))
    told = made.parse(both)
    numbers = [fact.trade_id for fact in told if isinstance(fact, TradePrinted)]
    assert numbers == [f"{MILLIS * 1_000 + n}" for n in range(3)]
    assert made.parse(both) == []


def test_trades_of_an_outage_come_with_the_next_snapshot() -> None:
    """Each once and in order; what was before we first listened is passed over."""
    made = parser()
    old = (0, "31.5", "up")
    assert made.parse(trades("snapshot", old)) == []
    made.parse(trades("update", (5, "31.5", "up")))
    made.disconnected(CHANNEL, NOW, "gone")
    made.connected(CHANNEL, NOW)
    told = made.parse(
        trades("snapshot", (9, "31.6", "up"), (7, "31.5", "up"), (5, "31.5", "up"), old)
    )
    assert [fact.price for fact in told if isinstance(fact, TradePrinted)] == [31_500, 31_600]


@pytest.mark.parametrize("changes", [{"tr": "flat"}, {"v": "0"}, {"p": "0"}, {"T": -1}])
def test_damaged_trade_is_refused_with_its_frame(changes: dict[str, Any]) -> None:
    """And is told when it comes whole."""
    made = parser()
    with pytest.raises(BadInput):
        made.parse(trades("update", (0, "31.5", "up"), **changes))
    assert len(made.parse(trades("update", (0, "31.5", "up")))) == 1


def candle(minute: int, *, over: bool, high: str = "31.6") -> Frame:
    """A candle of one minute."""
    opened = MILLIS // 60_000 * 60_000 + minute * 60_000
    row = {"ST": opened, "ET": opened + 59_999, "M": "usdttwd", "R": "1m", "x": over, "ti": 1}
    prices_said = {"O": "31.5", "H": high, "L": "31.4", "C": "31.5", "v": "7", "qv": "0"}
    return frame({"c": "kline", "e": "update", "M": "usdttwd", "T": 0, "k": row | prices_said})


def test_candle_is_told_once_it_is_over() -> None:
    """Not before, and not again."""
    made = parser()
    assert made.parse(candle(1, over=False)) == []
    (fact,) = made.parse(candle(1, over=True))
    assert isinstance(fact, CandleClosed)
    assert (fact.high, fact.volume, fact.interval) == (31_600, 700, 60 * SECONDS)
    assert made.parse(candle(1, over=True)) == []
    with pytest.raises(BadInput):
        made.parse(candle(2, over=True, high="31.3"))


def test_closed_market_is_a_feed_that_is_down() -> None:
    """Until it says that it is open; then its book is subscribed to anew."""
    made = parser()
    made.parse(whole(10))

    def state(name: str) -> Frame:
        row = {"M": "usdttwd", "st": name}
        return frame({"c": "market_status", "e": "update", "ms": [row], "T": MILLIS})

    assert made.parse(state("active")) == []
    (down,) = made.parse(state("cancel-only"))
    assert isinstance(down, FeedDown)
    assert made.wants(NOW) == []
    assert kinds(made.parse(state("active"))) == [FeedUp]
    assert len(made.wants(NOW)) == 2
    assert len(made.parse(whole(11))) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"e": "subscribed", "s": [], "i": "hello", "T": 1},
        {"e": "pong", "T": 1},
        {"c": "ticker", "e": "update", "M": "usdttwd", "tk": {}, "T": 1},
        {"c": "book", "e": "snapshot", "M": "btctwd", "a": [], "b": [], "T": 1}
        | {"fi": 1, "li": 1, "v": 1},
    ],
)
def test_what_says_nothing_of_our_markets_is_passed_over(body: dict[str, Any]) -> None:
    """Answers, figures of a day, markets of others."""
    assert parser().parse(frame(body)) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"c":"book"}', b'{"c":"new"}', b"[]"])
def test_frame_of_no_known_kind_is_refused(body: bytes) -> None:
    """It may have been anything."""
    with pytest.raises(BadInput):
        parser().parse(Frame(NOW, CHANNEL, body))


def test_polled_book_is_sorted_and_whole() -> None:
    """Asks come with the worst first."""
    made = MaxParser((dollar(),))
    made.connected(f"poll/{CHANNEL}", NOW)
    body = {
        "timestamp": START // 1_000_000_000,
        "last_update_version": 1,
        "last_update_id": 5,
        "asks": [["31.503", "2"], ["31.502", "1"]],
        "bids": [["31.500", "1"]],
    }
    polled, _ = made.parse(frame(body, channel="poll/depth/usdttwd"))
    assert isinstance(polled, BookSnapshot)
    assert polled.asks == (31_502, 100, 31_503, 200)
