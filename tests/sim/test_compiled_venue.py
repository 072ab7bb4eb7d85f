"""The compiled venue tells of any market and any commands what the plain one tells."""

from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.errors import BadInput, ConfigError
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import OrderAcked, OrderCanceled, OrderFilled, OrderRejected
from mm.events.units import MILLIS, Nanos
from mm.projections.ladder import FAR_MAX
from mm.sim.compiled_trading import NUMBERS_MAX, compiled_venue
from mm.sim.queue_models import NUMBERS
from mm.sim.settings import (
    MATCHINGS,
    NONE,
    SEEDS,
    Arrivals,
    Latency,
    Measured,
    PaperSettings,
    Sampled,
)
from mm.sim.world import SLOTS
from tests.build import BTC, BUY, SELL, START, cancel, instrument, placed, snapshot
from tests.sim.build import cancels_all, ioc, kinds, marked, of_orders, rated, sold, takes
from tests.sim.stories import Action
from tests.sim.twins import Twins, commands, compiled_at, numbered, strangers
from tests.sim.worlds import KINDS, books, events, second, twice

FREE: Final = PaperSettings(entry=NONE, response=NONE)
BOOK: Final = snapshot((999, 5, 998, 8, 996, 3), (1001, 4, 1002, 9, 1005, 3))
gaps = st.sampled_from([1, MILLIS, 3 * MILLIS, 20 * MILLIS, 300 * MILLIS])


@st.composite
def parts(draw: Any) -> Any:
    """A part of a snapshot, which others may follow."""
    whole = draw(books())
    many = draw(st.integers(1, 3))
    part = draw(st.integers(1, many))
    return snapshot(whole.bids, whole.asks, draw(st.integers(0, 2)), part, many)


stamps = st.integers(START, START + 2_000 * MILLIS)
fundings = st.one_of(
    st.builds(marked, st.sampled_from(["99", "100", "101.5"]), venue_time=stamps),
    st.builds(rated, st.sampled_from(["-0.01", "0.0003"]), stamps, venue_time=stamps),
)
public = st.integers(0, 19).flatmap(lambda n: (events, parts(), fundings)[max(0, n - 17)])
ALL: Final = [*[public] * 6, *[commands] * 6, strangers]
actions = st.integers(0, len(ALL) - 1).flatmap(ALL.__getitem__)
stories = st.lists(st.tuples(gaps, st.integers(0, 3), actions), min_size=20, max_size=60)

ranges = st.sampled_from(
    [
        NONE,
        Latency(Nanos(MILLIS), Nanos(MILLIS)),
        Latency(Nanos(0), Nanos(20 * MILLIS)),
        SEEDS,
        Sampled((Nanos(0), Nanos(MILLIS), Nanos(50 * MILLIS))),
    ]
)
TRIPS: Final = Measured(
    tuple(
        (Nanos(START + sent * MILLIS), Nanos(START + there * MILLIS), Nanos(START + back * MILLIS))
        for sent, there, back in (
            (0, 1, 3),
            (40, 70, 90),
            (80, -START // MILLIS, 95),
            (200, 201, 300),
        )
    )
)


@st.composite
def papers(draw: Any, balances: Any = None) -> PaperSettings:
    """Any account whose orders are matched as others are."""
    return PaperSettings(
        entry=draw(ranges),
        response=draw(ranges),
        place=draw(st.one_of(st.none(), ranges)),
        cancel=draw(st.one_of(st.none(), ranges)),
        measured=draw(st.sampled_from([None, None, None, TRIPS])),
        queue=draw(st.sampled_from(sorted(NUMBERS))),
        queue_power=draw(st.sampled_from([0.5, 1.0, 3.0])),
        market=draw(st.sampled_from(["received", "venue"])),
        matching=draw(st.sampled_from(MATCHINGS)),
        open_orders_max=draw(st.sampled_from([200, 200, 3])),
        balances=balances,
        arrivals=Arrivals(
            rate=draw(st.sampled_from([20.0, 140.0])), decay=draw(st.sampled_from([0.5, 5.0]))
        ),
    )


@st.composite
def listed(draw: Any) -> tuple[InstrumentDefined, ...]:
    """One instrument of any kind, or two."""
    first = draw(st.sampled_from(KINDS))
    return (first, second(first)) if draw(st.booleans()) else (first,)


def told(
    account: PaperSettings,
    instruments: tuple[InstrumentDefined, ...],
    story: list[tuple[int, int, Action]],
) -> Twins:
    """Both venues after a story that begins with a book."""
    twins = Twins(account, *instruments)
    opening: list[tuple[int, int, Action]] = [(1, n, BOOK) for n in range(len(instruments))]
    done = numbered(opening + story, [each.instrument for each in instruments])
    for at, action in done:
        twins.does(at, action)
    twins.end(Nanos(done[-1][0] + 10**10))
    return twins


@twice
@given(papers(), listed(), stories)
def test_any_story(
    account: PaperSettings,
    instruments: tuple[InstrumentDefined, ...],
    story: list[tuple[int, int, Action]],
) -> None:
    """Facts to the byte, queues after every step, open orders, accounts, books."""
    told(account, instruments, story)


SPOTS: Final = tuple(
    instrument(
        kind=ContractKind.SPOT,
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.002"),
        fee_from_received=received,
        notional_min=Decimal("0.1"),
    )
    for received in (False, True)
)
purses = st.fixed_dictionaries(
    {
        "USDT": st.sampled_from([Decimal("0.5"), Decimal(2), Decimal(50)]),
        "BTC": st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("0.02")]),
    }
)


@twice
@given(purses.flatmap(papers), st.sampled_from(SPOTS), stories)
def test_limited_money(
    account: PaperSettings, defined: InstrumentDefined, story: list[tuple[int, int, Action]]
) -> None:
    """On spot an order that is not covered is refused, after all that else speaks against it."""
    told(account, (defined,), story)


def test_stories_differ() -> None:
    """What is compared is not nothing."""
    seen: set[str] = set()

    @settings(max_examples=150)
    @given(papers(), listed(), stories)
    def play(
        account: PaperSettings,
        instruments: tuple[InstrumentDefined, ...],
        story: list[tuple[int, int, Action]],
    ) -> None:
        for fact in told(account, instruments, story).told:
            seen.add(type(fact).__name__)
            seen.add(str(getattr(fact, "reason", getattr(fact, "liquidity", ""))))

    play()
    wanted = "OrderAcked OrderFilled OrderAmended AmendRejected CancelRejected BalanceReported"
    reasons = "maker taker post_only_crossed no_liquidity reduce_only not_permitted ioc_rest"
    missing = {*wanted.split(), *reasons.split(), "self_trade", "cancel_all"} - seen
    assert not missing


def reasons(twins: Twins) -> list[str]:
    """Why anything was refused or canceled so far."""
    told: list[Any] = of_orders(twins.told)
    return [fact.reason for fact in told if hasattr(fact, "reason")]


def test_an_unknown_instrument_takes_no_orders() -> None:
    """Nor does the wrong wallet, or an id twice; cancels and amends of nothing are refused."""
    twins = Twins(FREE)
    at = START
    story = [placed("a", BUY, 99, 1), ioc("b", BUY, 99, 1, post_only=True), cancel("a")]
    for action in story:
        at = Nanos(at + 1)
        twins.submit(at, action)
    assert reasons(twins) == ["instrument_closed", "not_permitted", "unknown_order"]
    twins.hear(Nanos(at + 1), instrument())
    twins.hear(Nanos(at + 2), BOOK)
    twins.submit(Nanos(at + 3), placed("a", BUY, 99, 1))
    assert reasons(twins)[-1] == "duplicate_id"


def test_orders_beyond_number() -> None:
    """More orders than there are numbers: those that rest keep their places, the oldest first."""
    twins, at = Twins(FREE, instrument()), START
    twins.hear(at, BOOK)
    for number in range(NUMBERS_MAX + 50):
        at = Nanos(at + 1)
        name = f"o{number}"
        for venue in (twins.plain, twins.fast):
            venue.submit(at, placed(name, BUY, 999 - number % 3, 1))
            if number % 500:
                venue.submit(at, cancel(name))
        assert twins.plain.advance(at) == twins.fast.advance(at)
    assert len(twins.fast.open_orders()) == 9
    twins.hear(Nanos(at + 1), sold(998, 3))
    assert len([fact for fact in twins.told if isinstance(fact, OrderFilled)]) == 3
    twins.does(Nanos(at + 2), cancels_all())
    assert len([fact for fact in twins.told if isinstance(fact, OrderCanceled)]) == 6


def test_a_position_is_taken_over() -> None:
    """What an earlier session left may be reduced, and no more of it."""
    before = Twins(FREE, instrument())
    before.hear(Nanos(START + 1), BOOK)
    before.submit(Nanos(START + 2), takes("a", BUY, 1001, 3))
    twins = Twins(FREE, instrument())
    twins.restore(before.fast.report(Nanos(START + 2)))
    twins.hear(Nanos(START + 1), BOOK)
    twins.submit(Nanos(START + 2), takes("b", SELL, 998, 4, reduce_only=True))
    assert reasons(twins)[-1] == "reduce_only"
    twins.submit(Nanos(START + 3), placed("c", SELL, 1001, 3, reduce_only=True))
    twins.submit(Nanos(START + 4), takes("d", SELL, 999, 2))
    twins.hear(Nanos(START + 5), snapshot((1002, 9), (1004, 1), sequence=2))
    fills = [(f.order_id, f.size) for f in twins.told if isinstance(f, OrderFilled)]
    assert fills == [("d", 2), ("c", 1)]
    assert reasons(twins)[-1] == "venue"


def test_a_snapshot_larger_than_any_before() -> None:
    """There is always room for what one event says."""
    many = 3_000
    bids = tuple(n for level in range(many) for n in (20_000 - level, level + 1))
    asks = tuple(n for level in range(many) for n in (20_001 + level, level + 1))
    twins = Twins(FREE, instrument())
    twins.hear(START, snapshot(bids, asks))
    shares = [
        snapshot(bids[2 * k : 2 * k + 2], asks[2 * k : 2 * k + 2], 2, k + 1, 40) for k in range(40)
    ]
    for share in shares:
        twins.hear(START, share)
    assert len(compiled_at(twins, BTC)._memory.rows) > many
    twins.end(START)


FAR: Final = tuple(n for k in range(FAR_MAX + 1) for n in (10_000_000 + 2 * k, 1))
UNHEARD: Final = (
    snapshot((999, 1), (1001, 1, *FAR)),
    replace(BOOK, sequence=1 << 63),
    replace(sold(1, 1), price=1 << 63),
)


@pytest.mark.parametrize("event", UNHEARD, ids=["too wide", "sequence", "price"])
def test_what_cannot_be_held_is_a_loss(event: Any) -> None:
    """Nothing is dropped in silence: no order is taken until the next snapshot."""
    venue, told = compiled_venue(FREE, 1), []
    venue.hear(START, instrument())
    for number, each in enumerate((BOOK, event, BOOK)):
        venue.hear(START, each)
        venue.submit(START, placed(str(number), BUY, 999, 1))
        told += venue.advance(START)
    assert kinds(told) == ["OrderAcked", "OrderRejected", "OrderAcked"]
    assert [fact.reason for fact in told if isinstance(fact, OrderRejected)] == ["no_book"]


def test_more_open_orders_than_there_is_room_for() -> None:
    """The account is not opened."""
    with pytest.raises(ConfigError, match="open_orders_max"):
        compiled_venue(PaperSettings(open_orders_max=SLOTS + 1), 1)


def test_a_revision_counts_at_once() -> None:
    """A new smallest size refuses the next order; other ticks are bad input."""
    twins = Twins(FREE, instrument())
    twins.hear(START, BOOK)
    twins.submit(START, placed("a", BUY, 999, 1))
    twins.hear(START, instrument(size_min=2, revision=1))
    twins.submit(START, placed("b", BUY, 999, 1))
    assert isinstance(twins.told[0], OrderAcked)
    assert isinstance(twins.told[1], OrderRejected)
    for venue in (twins.plain, twins.fast):
        with pytest.raises(BadInput, match="changes its kind or its steps"):
            venue.hear(START, instrument(lot_size=Decimal(1), revision=2))
