"""What a service tells of one instrument, to whom and how often: by given times, without a bus."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from mm.apps.feed_book import WholeBook
from mm.apps.feed_streams import Stream
from mm.apps.feed_words import (
    Subjects,
    Wanted,
    batch_from,
    beginning_from,
    subjects,
    token,
    wanted_from,
)
from mm.errors import BadInput, ConfigError
from mm.events.market import FeedStale
from mm.events.units import SECONDS, InstrumentId, Nanos
from mm.projections.book import Books
from tests.build import (
    delta,
    feed_down,
    feed_up,
    gapped,
    instrument,
    printed,
    resynced,
    snapshot,
)

DEFINED = instrument(tick_size=Decimal("0.10"), lot_size=Decimal("0.001"))
BOOK = Wanted(symbol="BTC/USDT")
SLOW = Wanted(symbol="BTC/USDT", per_second_max=2)
FACTS = Wanted(symbol="BTC/USDT", events=True)
AT = Nanos(1_000 * SECONDS)


class Bus:
    """Keeps what was sent, while there is room."""

    def __init__(self) -> None:
        """Start with room."""
        self.sent: list[tuple[str, bytes]] = []
        self.room = True

    def send(self, subject: bytes, payload: bytes) -> bool:
        """Take a message."""
        if self.room:
            self.sent.append((subject.decode(), payload))
        return self.room

    def books(self) -> list[Any]:
        """The books sent so far, which are forgotten."""
        sent, self.sent = self.sent, []
        return [json.loads(payload, parse_float=Decimal) for _, payload in sent]


def opened(*wanted: Wanted) -> tuple[Stream, Bus]:
    """A stream that some want, with a book of one level a side."""
    bus = Bus()
    stream = Stream("binance", DEFINED, Subjects("mm"), bus.send)
    for each in wanted:
        stream.renew(each, AT)
    stream.hear(AT, (feed_up(), snapshot((100, 1), (102, 2))), AT)
    return stream, bus


def later(seconds: float) -> Nanos:
    """A moment so long after the stream began."""
    return Nanos(AT + round(seconds * SECONDS))


def test_the_whole_book_follows_each_update() -> None:
    """All levels, best first, in the venue's decimals, on the seed's subject."""
    stream, bus = opened(BOOK)
    stream.hear(AT, (delta((99, 5), (102, 0, 103, 7), last=9),), AT)
    assert {subject for subject, _ in bus.sent} == {"mm.orderbook.binance.BTC/USDT"}
    first, second = bus.books()
    assert first["bids"] == [[Decimal("10.00"), Decimal("0.001")]]
    assert second["bids"] == [
        [Decimal("10.00"), Decimal("0.001")],
        [Decimal("9.90"), Decimal("0.005")],
    ]
    assert second["asks"] == [[Decimal("10.30"), Decimal("0.007")]]
    assert (second["symbol"], second["nonce"], second["status"]) == ("BTC/USDT", 9, "live")


def test_what_leaves_the_book_alone_is_not_told() -> None:
    """A trade brings no book."""
    stream, bus = opened(BOOK)
    bus.books()
    stream.hear(AT, (printed(100, 1),), AT)
    assert not bus.sent


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ((gapped(),), "gap"),
        ((feed_down(),), "down"),
        ((feed_down(), feed_up()), "opening"),
        ((gapped(), snapshot((100, 1), (102, 2))), "opening"),
        ((gapped(), snapshot((100, 1), (102, 2)), resynced()), "live"),
        ((FeedStale(instrument=DEFINED.instrument, received=AT, age=Nanos(1)),), "stale"),
    ],
)
def test_only_a_whole_book_is_live(facts: Any, status: str) -> None:
    """What is missing shows, and a book that is not whole shows no levels."""
    stream, bus = opened(BOOK)
    bus.books()
    stream.hear(AT, facts, AT)
    (told,) = bus.books()
    assert told["status"] == status
    assert bool(told["bids"]) == (status in {"live", "stale"})


def test_a_bounded_rate_tells_the_latest() -> None:
    """At most two a second on a subject of its own, the last of them the latest book."""
    stream, bus = opened(SLOW)
    for number in range(1, 10):
        at = later(number / 100)
        stream.hear(at, (delta((100, number), (), last=number),), at)
    stream.settle(later(0.4999))
    assert len(bus.sent) == 1
    stream.settle(later(0.5))
    stream.settle(later(2))
    assert {subject for subject, _ in bus.sent} == {"mm.orderbook.binance.BTC/USDT.2"}
    assert [each["nonce"] for each in bus.books()] == [1, 9]


def test_what_does_not_leave_waits_and_is_the_latest_then() -> None:
    """Without room for a book the next one stands for it; lost facts leave a hole in numbers."""
    stream, bus = opened(BOOK, FACTS)
    bus.sent.clear()
    bus.room = False
    for number in (5, 6):
        stream.hear(AT, (delta((100, 1), (), last=number),), AT)
    assert stream.unsent == 4
    bus.room = True
    stream.settle(AT)
    (told,) = bus.books()
    assert told["nonce"] == 6
    stream.hear(AT, (printed(100, 1),), AT)
    ((_, payload),) = bus.sent
    assert batch_from(payload).number == 4


def test_the_other_consumer_keeps_a_stream() -> None:
    """Twenty seconds after the last heartbeat of anybody, and not before."""
    stream, _ = opened(BOOK)
    stream.renew(BOOK, later(5))  # One of two goes on beating.
    stream.renew(BOOK, later(19))
    assert stream.expire(later(38.999))
    assert not stream.expire(later(39))


def test_each_way_has_heartbeats_of_its_own() -> None:
    """A rate that nobody renews is dropped, while the book is still told."""
    stream, bus = opened(BOOK, SLOW)
    stream.renew(BOOK, later(15))
    assert stream.expire(later(20))
    bus.sent.clear()
    stream.hear(later(20), (delta((100, 3), ()),), later(20))
    assert [subject for subject, _ in bus.sent] == ["mm.orderbook.binance.BTC/USDT"]


def test_facts_are_numbered_and_continue_a_beginning() -> None:
    """A beginning and the messages after it fold into the book that the stream has."""
    stream, bus = opened(FACTS)
    beginning = beginning_from(stream.answer(FACTS))
    bus.sent.clear()
    stream.hear(AT, (delta((99, 5), (), last=9),), AT)
    ((subject, payload),) = bus.sent
    batch = batch_from(payload)
    assert subject == "mm.events.binance.BTC/USDT"
    assert (batch.run, batch.number) == (beginning.run, beginning.number + 1)
    assert beginning.facts[0] == DEFINED
    books = Books()
    for fact in (*beginning.facts, *batch.facts):
        handler = books.routes().get(type(fact))
        if handler is not None:
            handler(fact, AT)
    book = books.of(InstrumentId(DEFINED.instrument))
    assert (book.bids(9), book.asks(9), book.usable) == ([(100, 1), (99, 5)], [(102, 2)], True)


def test_a_beginning_of_a_lost_book_has_none() -> None:
    """What is down stays down for whoever comes late."""
    whole = WholeBook("binance", DEFINED)
    whole.hear(AT, (snapshot((100, 1), (102, 2)), feed_down()))
    assert whole.facts() == (DEFINED, feed_down())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"symbol": ""}',
        b'{"symbol": 5}',
        b'{"symbol": "BTC/USDT", "per_second": 5}',
        b'{"symbol": "BTC/USDT", "per_second_max": -1}',
        b'{"symbol": "BTC/USDT", "per_second_max": 51}',
        b'{"symbol": "BTC/USDT", "per_second_max": 1, "events": true}',
        b'{"symbol": "' + b"x" * 65 + b'"}',
    ],
)
def test_bodies_that_ask_for_nothing_are_refused(body: bytes) -> None:
    """A typed error, whatever came."""
    with pytest.raises(BadInput):
        wanted_from(body)


@drawn(st.text(min_size=1, max_size=64))
def test_any_symbol_is_one_token(symbol: str) -> None:
    """No symbol can widen, split or end a subject, and no two share one."""
    try:
        written = token(symbol)
    except UnicodeEncodeError:
        return
    assert not set(written) & set(".*> \t\r\n")
    assert written.isprintable()
    assert token("BTC/USDT:USDT") == "BTC/USDT:USDT"


@pytest.mark.parametrize("prefix", ["", ".", "a.", "a b", "a.*", ">", "ü"])
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    """What would not be a subject is refused at the start."""
    with pytest.raises(ConfigError):
        subjects(prefix)
