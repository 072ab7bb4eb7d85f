"""What is believed of rates, and what is told when nothing is; against emulated publishers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from freezegun import freeze_time

from mm.emulator.faults import Kind, Rule
from mm.emulator.reference import ReferenceFront
from mm.emulator.server import Running
from mm.errors import BadInput
from mm.events.market import ReferenceRatePublished
from mm.events.session import NoteTaken
from mm.events.units import SECONDS, Nanos
from mm.gateways.reference.quote import Basis, Pair, RateQuote
from mm.gateways.reference.rates import (
    SOURCES,
    PairRate,
    Provider,
    RateSettings,
    ReferenceFeed,
    wall,
)
from mm.gateways.verdicts import VenueSaid, Verdict
from tests.emulator.venue import reached

USD = Pair("USD", "TWD")
PRICES = {"USD": (Decimal("31.30"), Decimal("31.50"))}
SETTINGS = RateSettings(
    valid_for=Nanos(600 * SECONDS), age_max=Nanos(3 * 86_400 * SECONDS), jump_max_bps=100
)
FRIDAY = "2026-11-20T08:00:00Z"


class Said:
    """A source that says what the test has it say: mids, or errors."""

    def __init__(self, name: str, *said: str | Exception, age: int = 0) -> None:
        """Say one after the other, the last one for ever."""
        self.name = name
        self.said = list(said)
        self.age = age
        self.asked = 0

    async def fetch(self) -> RateQuote:
        """What is due."""
        self.asked += 1
        due = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(due, Exception):
            raise due
        return RateQuote(
            pair=USD,
            bid=Decimal(due),
            ask=Decimal(due),
            kind=Basis.MID,
            source=self.name,
            quoted_at=Nanos(wall() - self.age * SECONDS),
            received_at=wall(),
            raw_sha="",
        )


DOWN = VenueSaid(Verdict.NOT_SENT, raw_text="nobody answers")
BAD = BadInput("it is no table")


async def at(pair: PairRate) -> list[Any]:
    """What is told after one look."""
    return list(await pair.look(wall))


async def looked(*sources: Said, times: int = 1) -> list[list[Any]]:
    """What was told at each look at a pair with these sources."""
    pair = PairRate(USD, sources, SETTINGS)
    return [await at(pair) for _ in range(times)]


def rates(facts: Sequence[Any]) -> list[tuple[str, str]]:
    """Who published which mid."""
    return [(f.source, str(f.rate)) for f in facts if isinstance(f, ReferenceRatePublished)]


def notes(facts: Sequence[Any]) -> list[str]:
    """What was remarked."""
    return [fact.text for fact in facts if isinstance(fact, NoteTaken)]


@freeze_time(FRIDAY)
async def test_the_first_that_answers_counts() -> None:
    """Sources are asked in order, and those behind a good one not at all."""
    third = Said("c", "32")
    sources = (Said("a", DOWN), Said("b", "31"), third)
    _, told = await at(PairRate(USD, sources, SETTINGS))
    assert rates([told]) == [("b", "31")]
    assert not third.asked


@freeze_time(FRIDAY)
async def test_a_trouble_is_noted_once() -> None:
    """And again when its reason is another one."""
    found = await looked(Said("a", DOWN, DOWN, BAD, "31", DOWN), Said("b", "31"), times=5)
    assert [len(notes(each)) for each in found] == [1, 0, 1, 0, 1]
    assert [rates(each)[0][0] for each in found] == ["b", "b", "b", "a", "b"]


@freeze_time(FRIDAY)
async def test_a_jump_alone_is_doubted() -> None:
    """The next source that stays near the last quote is taken instead."""
    _, told = await looked(Said("a", "31", "62"), Said("b", "31.1"), times=2)
    assert rates(told) == [("b", "31.1")]
    assert notes(told) == ["a says 62, the last was 31"]


@freeze_time(FRIDAY)
async def test_a_jump_that_nobody_confirms_is_not_told() -> None:
    """No quote comes of it; the last one goes on being valid."""
    _, told = await looked(Said("a", "31", "62"), Said("b", "50"), times=2)
    assert not rates(told)


@freeze_time(FRIDAY)
async def test_a_jump_that_another_source_sees_is_believed() -> None:
    """The quote of the first of the two."""
    _, told = await looked(Said("a", "31", "33"), Said("b", "33.1"), times=2)
    assert rates(told) == [("a", "33")]


@pytest.mark.parametrize(("after", "believed"), [("31.31", True), ("31.3101", False)])
@freeze_time(FRIDAY)
async def test_how_far_is_a_jump(after: str, believed: bool) -> None:
    """A hundred basis points are none, and any more are."""
    _, told = await looked(Said("a", "31", after), times=2)
    assert bool(rates(told)) is believed


async def test_an_expired_rate_guards_no_more() -> None:
    """What was true long ago is no reason to doubt; until then it is stale for all to see."""
    source = Said("a", "31", DOWN, DOWN, "62")
    pair = PairRate(USD, (source,), SETTINGS)
    with freeze_time(FRIDAY) as clock:
        (told,) = await at(pair)
        assert told.valid_until == wall() + SETTINGS.valid_for
        clock.tick(timedelta(seconds=600))
        assert not pair.stale(wall())
        assert notes(await at(pair)) == [str(DOWN)]
        clock.tick(timedelta(seconds=1))
        assert pair.stale(wall())
        (stale,) = notes(await at(pair))
        assert stale.startswith("stale")
        assert rates(await at(pair)) == [("a", "62")]
        assert not pair.stale(wall())


@freeze_time(FRIDAY)
async def test_a_document_of_last_week_is_none() -> None:
    """Older than the limit is refused; just within it the quote ends when it becomes too old."""
    limit = SETTINGS.age_max // SECONDS
    (told,) = await looked(Said("a", "31", age=limit + 1), Said("b", "32", age=limit - 5))
    assert rates(told) == [("b", "32")]
    assert told[-1].valid_until == wall() + 5 * SECONDS
    (told,) = await looked(Said("a", "31", age=-90_000))
    assert not rates(told)


async def test_a_source_that_wants_a_rest_has_it() -> None:
    """For as long as it asked for nobody asks it."""
    limited = VenueSaid(Verdict.RATE_LIMITED, raw_code="429", retry_after=30.0)
    source = Said("a", limited, "31")
    pair = PairRate(USD, (source,), SETTINGS)
    with freeze_time(FRIDAY) as clock:
        await at(pair)
        clock.tick(timedelta(seconds=29.9))
        await at(pair)
        assert source.asked == 1
        clock.tick(timedelta(seconds=0.2))
        assert rates(await at(pair)) == [("a", "31")]


class Bench(NamedTuple):
    """Emulated publishers, and a pair that is had from them in order."""

    front: ReferenceFront
    running: Running
    pair: PairRate


@asynccontextmanager
async def published(*names: str) -> AsyncIterator[Bench]:
    """Publishers of one pair."""
    front = ReferenceFront(PRICES)
    async with reached(front) as there:
        providers = [Provider(SOURCES[name], USD, there.session) for name in names]
        yield Bench(front, there.running, PairRate(USD, providers, SETTINGS))


@pytest.mark.parametrize(
    ("name", "bid", "kind"),
    [
        ("bank-of-taiwan", "31.30", "board"),
        ("taifex", "31.4", "mid"),
        ("open-er-api", "31.4", "mid"),
    ],
)
async def test_every_publisher_is_understood(name: str, bid: str, kind: str) -> None:
    """The emulated document becomes a fact with its digest."""
    async with published(name) as bench:
        (told,) = await at(bench.pair)
        assert (told.bid, told.basis, told.source) == (Decimal(bid), kind, name)
        assert told.rate == Decimal("31.4")
        assert len(told.document) == 64


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Rule(kind=Kind.REFUSE, path="/xrt*", status=403, count=0), "403"),
        (Rule(kind=Kind.REFUSE, path="/xrt*", status=503, count=0), "503"),
        (Rule(kind=Kind.TRUNCATE, path="/xrt*", count=0), ""),
        (Rule(kind=Kind.ANSWER, path="/xrt*", status=200, body="busy", count=0), "no row of USD"),
    ],
)
async def test_the_next_publisher_stands_in(fault: Rule, words: str) -> None:
    """Whatever befalls the board, the table's rate is told, and why."""
    async with published("bank-of-taiwan", "open-er-api") as bench:
        bench.running.hub.faults.add([fault])
        note, told = await at(bench.pair)
        assert told.source == "open-er-api"
        assert words in note.text


async def test_an_old_document_is_seen_by_its_date() -> None:
    """The clock of the publishers stands behind: the table is refused, the board has no date."""
    async with published("open-er-api", "bank-of-taiwan") as bench:
        bench.front.exchange.skew = Nanos(-4 * 86_400 * SECONDS)
        note, told = await at(bench.pair)
        assert told.source == "bank-of-taiwan"
        assert "s old" in note.text


async def test_a_feed_goes_on_asking() -> None:
    """Every quote is offered, whether it changed or not."""
    heard: list[Any] = []
    enough = asyncio.Event()

    def offer(_received: Nanos, facts: tuple[Any, ...]) -> bool:
        heard.extend(facts)
        if len(heard) >= 3:
            enough.set()
        return True

    pair = PairRate(USD, (Said("a", "31", "31", "31.1"),), SETTINGS)
    feed = ReferenceFeed([pair], RateSettings(poll_every=Nanos(1)))
    running = asyncio.create_task(feed.run(offer))
    async with asyncio.timeout(10):
        await enough.wait()
    running.cancel()
    await asyncio.wait([running])
    assert rates(heard)[:3] == [("a", "31"), ("a", "31"), ("a", "31.1")]
