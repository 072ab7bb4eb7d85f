"""Frames of Binance become events, field by field, or are refused and change nothing."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mm.errors import BadInput, CrossedBook, MalformedLine, OffLot, OffTick
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import InstrumentId, Nanos, Side
from mm.gateways.binance_raw import (
    SNAPSHOT_LEVELS_MAX,
    BinanceDecoder,
    BinanceRouter,
    snapshot_parts,
)
from tests.gateways.lines import Market, line, mark, spot, usdm

AT = Nanos(1_723_161_255_000_000_000)
DEPTH = {"e": "depthUpdate", "E": 2, "T": 1, "s": "BTCUSDT", "U": 11, "u": 15, "pu": 10}
LEVELS = {"b": [["60000.10", "1.500"]], "a": [["60000.20", "0.000"], ["60000.30", "0.001"]]}
TICKER = {"u": 15, "s": "BTCUSDT", "b": "60000.1", "B": "1.5", "a": "60000.2", "A": "2", "E": 3}


def router(*, futures: bool = True) -> BinanceRouter:
    """A connection that carries BTCUSDT."""
    return BinanceRouter({"BTCUSDT": BinanceDecoder(usdm() if futures else spot())})


def take(text: bytes, *, futures: bool = True) -> list[Any]:
    """The events of one line on a fresh connection with a snapshot at update 10."""
    connection = router(futures=futures)
    connection.take(b'{"lastUpdateId":10,"bids":[["1.0","1"]],"asks":[["99999.0","1"]]}', AT)
    return list(connection.take(text.partition(b" ")[2], AT)[1])


def test_futures_diff() -> None:
    """A diff carries its ids, the matching time, and levels in ticks and lots."""
    (delta,) = take(line(AT, "depth@0ms", DEPTH | LEVELS))
    assert delta == BookDelta(
        instrument=InstrumentId(0),
        received=AT,
        venue_time=Nanos(1_000_000),
        first=11,
        last=15,
        previous=10,
        bids=(600_001, 1_500),
        asks=(600_002, 0, 600_003, 1),
    )


def test_spot_diff() -> None:
    """A spot diff has no predecessor and only the event time; its lot is finer than its step."""
    data = {name: value for name, value in DEPTH.items() if name not in ("pu", "T")}
    levels = {"b": [["60000.01", "25.42618900"]], "a": []}
    (delta,) = take(line(AT, "depth@100ms", data | levels), futures=False)
    assert (delta.previous, delta.venue_time) == (0, 2_000_000)
    assert delta.bids == (6_000_001, 25_426_189)


def test_ticker() -> None:
    """A ticker becomes a quote that carries the venue's update id."""
    (quote,) = take(line(AT, "bookTicker", TICKER))
    assert isinstance(quote, QuoteUpdated)
    assert (quote.sequence, quote.venue_time) == (15, 3_000_000)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (
        600_001,
        1_500,
        600_002,
        2_000,
    )


@pytest.mark.parametrize(("buyer_made", "side"), [(True, Side.SELL), (False, Side.BUY)])
def test_trade(buyer_made: bool, side: Side) -> None:
    """The aggressor is the seller where the buyer was the maker."""
    (trade,) = take(Market(1).trade(t=77, m=buyer_made))
    assert isinstance(trade, TradePrinted)
    assert (trade.trade_id, trade.price, trade.size) == ("77", 600_000, 5)
    assert trade.aggressor is side


def test_mark() -> None:
    """A mark price brings index and funding with it, finer than a tick."""
    price, index, funding = take(mark(AT))
    assert isinstance(price, MarkPublished)
    assert isinstance(index, IndexPublished)
    assert isinstance(funding, FundingPublished)
    assert (price.price, index.price) == (Decimal("60000.12345678"), Decimal("59999.5"))
    assert (funding.rate, funding.due) == (Decimal("0.0001"), 1_723_190_400_000_000_000)


def test_mark_of_a_dated_future() -> None:
    """A contract without funding has an empty rate due never."""
    assert len(take(mark(AT, r="", T=0))) == 2


@pytest.mark.parametrize("kind", ["INSURANCE_FUND", "ADL", "NA"])
def test_trades_that_are_none(kind: str) -> None:
    """What the insurance fund or auto-deleveraging does is counted and is no trade."""
    decoder = BinanceDecoder(usdm())
    payload = Market(1).trade(X=kind, p="0", q="0", t=5).partition(b" ")[2]
    assert BinanceRouter({"BTCUSDT": decoder}).take(payload, AT)[1] == []
    assert decoder.not_market == {kind: 1}
    assert list(decoder.remarks) == [f"trade 5 is {kind}, no trade of the market"]


def depth(**changes: Any) -> bytes:
    """A diff with some fields changed, or removed where None."""
    data = {k: v for k, v in (DEPTH | LEVELS | changes).items() if v is not None}
    return line(AT, "depth@0ms", data)


def ticker(**changes: Any) -> bytes:
    """A ticker with some fields changed."""
    return line(AT, "bookTicker", TICKER | changes)


def rest(**changes: Any) -> bytes:
    """A newer snapshot with some fields changed."""
    body = {"lastUpdateId": 20, "bids": [["1.0", "1"]], "asks": [["2.0", "1"]]} | changes
    return b"0 " + json.dumps(body).encode()


BAD = {
    "broken JSON": (depth()[:-5], MalformedLine),
    "no JSON": (b"0 hello", MalformedLine),
    "no object": (b"0 [1,2]", MalformedLine),
    "nothing": (b"0 ", MalformedLine),
    "no text": (b'0 {"stream":"btcusdt@trade","data":"\xff"}', MalformedLine),
    "nested without end": (b'0 {"stream":"btcusdt@trade","data":' + b"[" * 100_000, MalformedLine),
    "unknown channel": (line(AT, "aggTrade", {}), MalformedLine),
    "unknown symbol": (b'0 {"stream":"ethusdt@trade","data":{}}', MalformedLine),
    "no such frame": (b'0 {"result":null,"id":1}', MalformedLine),
    "another symbol's frame": (depth(s="ETHUSDT"), MalformedLine),
    "a spot diff": (depth(pu=None), MalformedLine),
    "ids run back": (depth(U=16), MalformedLine),
    "predecessor after it": (depth(pu=15), MalformedLine),
    "no last id": (depth(u=None), MalformedLine),
    "negative id": (depth(U=-11), MalformedLine),
    "id past 64 bits": (depth(u=2**63), MalformedLine),
    "id as text": (depth(u="15"), MalformedLine),
    "time past all bounds": (depth(E=10**17), MalformedLine),
    "level of three": (depth(b=[["1", "2", "3"]]), MalformedLine),
    "price as number": (depth(b=[[60000.1, "1"]]), MalformedLine),
    "levels as text": (depth(b="60000.1"), MalformedLine),
    "too many levels": (depth(b=[["1.0", "1"]] * 16_001), MalformedLine),
    "off the tick": (depth(b=[["60000.15", "1"]]), OffTick),
    "off the lot": (depth(a=[["60000.1", "0.0001"]]), OffLot),
    "NaN": (depth(b=[["NaN", "1"]]), MalformedLine),
    "infinite": (depth(b=[["1.0", "Infinity"]]), MalformedLine),
    "negative price": (depth(b=[["-1.0", "1"]]), MalformedLine),
    "negative size": (depth(b=[["1.0", "-1"]]), MalformedLine),
    "price of zero": (depth(b=[["0.0", "1"]]), MalformedLine),
    "huge price": (depth(b=[["1" + "0" * 25, "1"]]), MalformedLine),
    "huge size": (depth(b=[["1.0", "1" + "0" * 25]]), MalformedLine),
    "crossed ticker": (ticker(a="60000.1"), CrossedBook),
    "ticker without a price": (ticker(b=""), MalformedLine),
    "trade without a size": (Market(1).trade(q="0.000"), MalformedLine),
    "trade id as text": (Market(1).trade(t="1"), MalformedLine),
    "maker as number": (Market(1).trade(m=1), MalformedLine),
    "mark of zero": (mark(AT, p="0"), MalformedLine),
    "mark NaN": (mark(AT, p="NaN"), MalformedLine),
    "index negative": (mark(AT, i="-5"), MalformedLine),
    "funding past all bounds": (mark(AT, r="1.5"), MalformedLine),
    "funding NaN": (mark(AT, r="sNaN"), MalformedLine),
    "crossed snapshot": (rest(bids=[["2.0", "1"]]), CrossedBook),
    "snapshot level without a size": (rest(asks=[["2.0", "0"]]), MalformedLine),
    "snapshot without an id": (rest(lastUpdateId=None), MalformedLine),
}


@pytest.mark.parametrize(("text", "error"), BAD.values(), ids=BAD)
def test_refused_frames_change_nothing(text: bytes, error: type[BadInput]) -> None:
    """A frame that cannot be believed is refused by type, and the book stands where it stood."""
    connection = router()
    decoder, _ = connection.take(rest(lastUpdateId=10)[2:], AT)
    with pytest.raises(error):
        connection.take(text.partition(b" ")[2], AT)
    assert (decoder.book.sequence, decoder.book.usable) == (10, True)
    (delta,) = connection.take(depth().partition(b" ")[2], AT)[1]
    assert isinstance(delta, BookDelta)


def test_snapshot_of_nobody() -> None:
    """A snapshot does not say its symbol, so that it is refused where there are several."""
    decoders = {name: BinanceDecoder(usdm()) for name in ("BTCUSDT", "ETHUSDT")}
    with pytest.raises(MalformedLine, match="several symbols"):
        BinanceRouter(decoders).take(rest()[2:], AT)


def test_deep_snapshot_is_split() -> None:
    """A snapshot deeper than a turn comes in numbered parts that together are the whole."""
    count = SNAPSHOT_LEVELS_MAX + 1
    bids = tuple(n for price in range(count, 0, -1) for n in (price, 7))
    asks = tuple(n for price in range(count + 1, 2 * count) for n in (price, 8))
    whole = BookSnapshot(
        instrument=InstrumentId(0),
        received=AT,
        venue_time=AT,
        sequence=5,
        bids=bids,
        asks=asks,
    )
    parts = snapshot_parts(whole)
    assert [(part.part, part.parts) for part in parts] == [(1, 3), (2, 3), (3, 3)]
    assert sum((part.bids for part in parts), ()) == bids
    assert sum((part.asks for part in parts), ()) == asks
    shallow = msgspec.structs.replace(whole, bids=bids[:20], asks=asks[:20])
    assert snapshot_parts(shallow) == (shallow,)
