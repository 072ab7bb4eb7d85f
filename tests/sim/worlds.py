"""Arbitrary worlds for two simulators: markets event by event, settings whose limits bind."""

from decimal import Decimal
from itertools import islice
from random import Random
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import FeedStale
from mm.events.units import INT64_MAX, MICROS, MILLIS, SECONDS, InstrumentId, Lots, Nanos, Ticks
from mm.gateways.base import Message
from mm.sim.queue_models import NUMBERS
from mm.sim.settings import Arrivals, Latency, Measured, PaperSettings, Sampled, Trip
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings
from tests import build
from tests.build import BTC, BUY, SELL, START, delta, printed, snapshot
from tests.sim.build import best
from tests.sim.passing import Plain, World, received
from tests.sim.stories import flat

WORLDS_MAX: Final = 300
_PROFILE: Any = settings.default
twice = settings(max_examples=min(_PROFILE.max_examples, WORLDS_MAX))
"""For tests that play a whole world twice: a storm plays fewer of these than it does of others."""

ETH: Final = InstrumentId(7)
MIDDLE: Final = 1_000
"""Ticks around which everything happens: ten basis points are one tick."""

prices = st.integers(MIDDLE - 5, MIDDLE + 5)
sizes = st.integers(1, 12)
sides = st.sampled_from([BUY, SELL])
sequences = st.integers(1, 6)
channels = st.sampled_from(["depth", "quotes"])


@st.composite
def books(draw: Any) -> Any:
    """A snapshot around some price; now and then a level far from all the others."""
    around = draw(prices)
    shown = st.lists(sizes, max_size=5)
    bids, asks = flat(BUY, around, draw(shown)), flat(SELL, around, draw(shown))
    if draw(st.integers(0, 9)) == 9:
        bids, asks = (*bids, 3, 7), (*asks, 400_000, 7)
    return snapshot(bids, asks, draw(sequences))


@st.composite
def quotes(draw: Any) -> Any:
    """A best bid and ask, one to three ticks apart; now and then one side is not shown."""
    bid = draw(prices)
    ask = bid + draw(st.integers(1, 3))
    some = st.integers(0, 12)
    return best((bid, draw(some)), (ask, draw(some)), sequence=draw(sequences))


@st.composite
def deltas(draw: Any) -> Any:
    """A few changed levels anywhere, even across the other side."""
    changes = st.dictionaries(prices, st.integers(0, 12), max_size=4)
    bids, asks = (tuple(n for level in draw(changes).items() for n in level) for _ in range(2))
    return delta(bids, asks, last=draw(sequences))


@st.composite
def narrow(draw: Any) -> Any:
    """A change of a level that crosses nothing of a usual book."""
    side, size = draw(sides), draw(st.integers(0, 12))
    level = (MIDDLE - side * draw(st.integers(1, 5)), size)
    last = draw(sequences)
    return delta(level, (), last=last) if side > 0 else delta((), level, last=last)


trades = st.builds(printed, prices, st.integers(1, 40), sides)
losses = st.one_of(
    st.just(build.gapped()),
    st.just(build.resynced()),
    st.builds(build.feed_down, channels),
    st.builds(build.feed_up, channels),
    st.just(FeedStale(instrument=BTC, received=START, age=Nanos(5))),
    st.builds(snapshot, st.just((999, 3)), st.just(()), st.just(3), st.just(1), st.just(2)),
)
calm = st.one_of(narrow(), trades, narrow(), trades, narrow(), quotes())
wild = st.one_of(books(), deltas(), books(), losses)
events = st.integers(0, 19).flatmap(lambda n: calm if n < 18 else wild)
gaps = st.sampled_from([MILLIS, 3 * MILLIS, 20 * MILLIS, 300 * MILLIS, 50 * MICROS, 1, 0])
SCARCE: Final = build.instrument(
    size_min=2, size_step=2, size_max=20, price_min=MIDDLE - 4, price_max=MIDDLE + 4
)
KINDS: Final[tuple[InstrumentDefined, ...]] = (
    build.instrument(),
    build.instrument(notional_min=Decimal("0.25")),
    SCARCE,
    build.instrument(kind=ContractKind.INVERSE, settle="BTC", lot_size=Decimal(1)),
    build.instrument(kind=ContractKind.SPOT, tick_size=Decimal("0.01")),
)


def second(defined: InstrumentDefined) -> InstrumentDefined:
    """Another name, and lots ten times as large."""
    lots = defined.lot_size * 10
    return replace(defined, instrument=ETH, symbol="ETHUSDT", base="ETH", lot_size=lots)


@st.composite
def strategies(draw: Any, defined: InstrumentDefined) -> Plain:
    """A maker of a few lots, of either kind."""
    lot = defined.lot_size
    step = defined.size_step
    if draw(st.integers(0, 2)) == 2:
        return {
            "kind": "pegged",
            "instrument": defined.name,
            "order_size": str(step * draw(st.integers(1, 6)) * lot),
            "position_max": str(draw(st.integers(6, 30)) * lot),
            "half_spread_ticks": draw(st.sampled_from([1.0, 0.25, 2.5])),
            "skew_ticks": draw(st.sampled_from([0.5, 0.0, 2.0])),
            "refresh": draw(st.sampled_from(["1ms", "7ms", "250ms", "0s"])),
            "own_near_ticks": draw(st.sampled_from([None, 0, 1, 3])),
            "amend": draw(st.booleans()),
        }
    return {
        "kind": "symmetric",
        "instrument": defined.name,
        "order_size": str(step * draw(st.integers(1, 6)) * lot),
        "position_max": str(draw(st.integers(6, 30)) * lot),
        "half_spread_bps": draw(st.sampled_from([5.0, 10.0, 0.5, 15.0, 25.0])),
        "levels": draw(st.integers(1, 3)),
        "level_spacing_bps": draw(st.sampled_from([0.0, 4.0, 10.0])),
        "skew_bps": draw(st.sampled_from([0.0, 10.0, 40.0])),
        "drift_bps": draw(st.sampled_from([3.0, 5.0, 20.0, 0.0])),
        "age_max": draw(st.sampled_from(["30s", "1s", "10ms"])),
        "book_age_max": draw(st.sampled_from(["5s", "20ms"])),
        "refresh": draw(st.sampled_from(["1ms", "7ms", "250ms", "0s"])),
        "hedge_above": str(draw(st.sampled_from([0, 1, 4])) * lot),
        "hedge_slippage_bps": draw(st.sampled_from([0.0, 5.0, 30.0])),
        "fair": draw(st.sampled_from(["mid", "microprice"])),
        "amend": draw(st.booleans()),
    }


@st.composite
def limits(draw: Any, defined: InstrumentDefined) -> Plain:
    """Wide limits, of which up to two bind."""
    lot, worth = defined.lot_size, defined.notional(Ticks(MIDDLE), Lots(4))
    wide: Plain = {
        "order_size_max": str(1_000 * lot),
        "order_notional_max": str(1_000 * worth),
        "position_max": str(1_000 * lot),
        "open_orders_max": 100,
        "price_collar_bps": 500,
        "messages_per_second_max": 1_000,
    }
    tight: Plain = {
        "order_size_max": str(3 * lot),
        "order_notional_max": str(worth),
        "position_max": str(draw(st.integers(1, 9)) * lot),
        "open_orders_max": draw(st.integers(1, 3)),
        "price_collar_bps": 10,
        "messages_per_second_max": draw(st.sampled_from([10, 2])),
    }
    binding = draw(st.sets(st.sampled_from(sorted(wide)), max_size=2))
    return {name: tight[name] if name in binding else wide[name] for name in wide}


def constant(delay: int) -> Latency:
    """A delay that is always the same."""
    return Latency(Nanos(delay), Nanos(delay))


steady = st.sampled_from([MILLIS, 1, 0, 3 * MILLIS, 50 * MILLIS])
ranges = st.tuples(steady, steady).map(lambda ends: Latency(Nanos(min(ends)), Nanos(max(ends))))
samples = st.lists(steady, min_size=1, max_size=5).map(
    lambda drawn: Sampled(tuple(Nanos(delay) for delay in sorted(drawn)))
)
varied = st.one_of(ranges, samples, steady.map(constant))
"""A delay of any kind."""


@st.composite
def latencies(draw: Any) -> Plain:
    """How long commands and answers take: mostly constant, else by any kind of delay."""
    if draw(st.integers(0, 2)) < 2:
        return {name: constant(draw(steady)) for name in ("entry", "response")}
    return draw(all_varied())


@st.composite
def all_varied(draw: Any) -> Plain:
    """Any kind of delay, and some commands with one of their own."""
    own = draw(st.sets(st.sampled_from(["place", "cancel", "amend"])))
    return {name: draw(varied) for name in ("entry", "response", *sorted(own))}


takers = st.builds(
    Arrivals,
    rate=st.sampled_from([140.0, 20.0, 1_000.0, 0.0]),
    decay=st.sampled_from([1.5, 0.0, 10.0]),
    step=st.sampled_from([5 * MILLIS, MILLIS, 300 * MILLIS]).map(Nanos),
)


@st.composite
def trips_measured(draw: Any) -> Plain:
    """Round trips around the time of the stories, of which some never arrived."""
    sent = arrived = int(START) - 50 * MILLIS
    trips: list[Trip] = []
    for gap, there, back, lost in draw(TRIPS):
        sent += gap
        if lost and trips:
            trips.append((Nanos(sent), Nanos(0), Nanos(sent + back)))
        else:
            arrived = max(arrived, sent + there)
            trips.append((Nanos(sent), Nanos(arrived), Nanos(arrived + back)))
    return {"measured": Measured(tuple(trips))}


TRIPS: Final = st.lists(
    st.tuples(
        st.sampled_from([20 * MILLIS, MILLIS, 0, 300 * MILLIS, 7]),
        st.sampled_from([MILLIS, 1, 0, 30 * MILLIS]),
        st.sampled_from([MILLIS, 1, 0, 30 * MILLIS, 400 * MILLIS]),
        st.integers(0, 4).map(lambda number: number == 4),
    ),
    min_size=1,
    max_size=30,
)


@st.composite
def papers(draw: Any, matching: str = "shared", far: Any = latencies) -> PaperSettings:
    """A paper account at some distance."""
    return PaperSettings(
        **draw(far()),
        queue=draw(st.sampled_from(sorted(NUMBERS))),
        queue_power=draw(st.sampled_from([0.5, 1.0, 2.0, 3.0])),
        matching=matching,
        arrivals=draw(takers),
        open_orders_max=draw(st.sampled_from([200, 200, 2])),
    )


@st.composite
def messages(draw: Any, instruments: tuple[InstrumentDefined, ...]) -> tuple[Message, ...]:
    """What is heard: a book of each instrument first."""
    at, told = int(START), []
    numbers = [defined.instrument for defined in instruments]
    opening = [snapshot((999, 5, 998, 8, 996, 3), (1001, 4, 1002, 9, 1005, 3))]
    first = [replace(each, instrument=number) for number in numbers for each in opening]
    told.append(received(Nanos(at), first))
    for gap, facts in draw(STORIES):
        at += gap
        chosen = [replace(fact, instrument=numbers[n % len(numbers)]) for n, fact in facts]
        told.append(received(Nanos(at), chosen))
    return tuple(told)


@st.composite
def revising(draw: Any) -> World:
    """Any world whose instruments are defined anew now and then, alone or amid a message."""
    world: World = draw(worlds())
    told = list(world.messages)
    for number in range(draw(st.integers(1, 4))):
        place = draw(st.integers(1, len(told) - 1))
        defined = draw(st.sampled_from(world.instruments))
        revised = replace(defined, revision=number + 2, **draw(CHANGES))
        before = told[place]
        if draw(st.booleans()):
            told.insert(place, Message(before.received, (revised,)))
        else:
            amid = draw(st.integers(0, len(before.facts)))
            facts = (*before.facts[:amid], revised, *before.facts[amid:])
            told[place] = Message(before.received, facts)
    return world._replace(messages=tuple(told))


CHANGES: Final = st.fixed_dictionaries(
    {},
    optional={
        "maker_fee": st.sampled_from([Decimal("-0.0001"), Decimal("0.0003")]),
        "taker_fee": st.sampled_from([Decimal(0), Decimal("0.0011")]),
        "notional_min": st.sampled_from([Decimal(0), Decimal("0.25"), Decimal("0.5")]),
        "price_min": st.sampled_from([1, MIDDLE - 4, MIDDLE - 1]),
        "price_max": st.sampled_from([0, MIDDLE + 4, MIDDLE + 1]),
        "size_min": st.integers(1, 4),
        "size_max": st.sampled_from([0, 2, 20]),
        "size_step": st.integers(1, 2),
        "fee_from_received": st.booleans(),
    },
)
STORIES: Final = st.lists(
    st.tuples(gaps, st.lists(st.tuples(st.integers(0, 1), events), min_size=1, max_size=3)),
    min_size=20,
    max_size=60,
)


@st.composite
def worlds(
    draw: Any, matching: str = "shared", far: Any = latencies, *, two: bool = False
) -> World:
    """Any world that the pass can play; `far` draws its latencies; with `two`, two instruments."""
    first = draw(st.sampled_from(KINDS))
    both = two or draw(st.integers(0, 3)) == 3
    instruments = (first, second(first)) if both else (first,)
    makers = {"a": draw(strategies(first))}
    for name, defined in (("c", instruments[-1]), ("b", first)):
        if draw(st.integers(0, 2)) == 2:
            makers[name] = draw(strategies(defined))
    settings = {
        "strategies": makers,
        "limits": {defined.name: draw(limits(defined)) for defined in instruments},
    }
    paper, seed = draw(papers(matching, far)), draw(st.integers(0, INT64_MAX))
    return World(instruments, draw(messages(instruments)), settings, paper, seed)


def synthetic(seed: int, count: int, funding: int = 8 * 3600 * SECONDS) -> World:
    """A seeded market of so many messages, and makers drawn with the same seed."""
    random = Random(seed)
    kind = random.choice(list(ContractKind))
    market = SyntheticMarket(
        SyntheticSettings(
            kind=kind,
            price=Decimal(60_000) if kind is not ContractKind.SPOT else Decimal(2_000),
            lot_size=Decimal(1) if kind is ContractKind.INVERSE else Decimal("0.001"),
            level_size=Decimal(random.choice([1, 20, 100])),
            volatility_bps=Decimal(random.choice(["0.2", "1", "5"])),
            messages_per_second=random.choice([30, 300, 3_000]),
            funding_interval=Nanos(funding),
        ),
        seed,
        START,
    )
    defined = market.instrument
    told = tuple(Message(at, facts) for at, facts in islice(market.messages(), count))
    settings = {
        "strategies": {name: _maker(random, defined) for name in "ab"[: random.choice([1, 1, 2])]},
        "limits": {defined.name: _limits(random, defined)},
    }
    return World((defined,), told, settings, _paper(random))


def _maker(random: Random, defined: InstrumentDefined) -> Plain:
    choice, lot = random.choice, defined.lot_size
    size = choice([10, 50, 500])
    if choice([0, 0, 1]):
        return {
            "kind": "pegged",
            "instrument": defined.name,
            "order_size": str(size * lot),
            "position_max": str(choice([2, 5, 20]) * size * lot),
            "half_spread_ticks": choice([0.5, 1.0, 3.0]),
            "skew_ticks": choice([0.0, 0.5]),
            "refresh": choice(["10ms", "100ms"]),
            "amend": choice([True, False]),
        }
    return {
        "kind": "symmetric",
        "instrument": defined.name,
        "order_size": str(size * lot),
        "position_max": str(choice([2, 5, 20]) * size * lot),
        "half_spread_bps": choice([0.02, 0.1, 0.2, 0.5]),
        "levels": choice([1, 2, 5]),
        "level_spacing_bps": choice([0.1, 0.5]),
        "skew_bps": choice([0.0, 1.0, 5.0]),
        "drift_bps": choice([0.02, 0.1, 0.5]),
        "age_max": choice(["100ms", "30s"]),
        "refresh": choice(["0s", "10ms", "100ms"]),
        "hedge_above": str(choice([0, 1, 3]) * size * lot),
        "hedge_slippage_bps": choice([1.0, 5.0]),
        "fair": choice(["mid", "microprice"]),
        "amend": choice([True, False]),
    }


def _limits(random: Random, defined: InstrumentDefined) -> Plain:
    """Wide ones mostly: one in four binds."""
    lot = defined.lot_size

    def one(wide: int, tight: int) -> int:
        return tight if random.randrange(4) == 0 else wide

    return {
        "order_size_max": str(one(100_000, 15) * lot),
        "order_notional_max": str(10**12),
        "position_max": str(one(100_000, 30) * lot),
        "open_orders_max": one(100, 3),
        "price_collar_bps": one(500, 1),
        "messages_per_second_max": one(1_000, 20),
    }


def _paper(random: Random) -> PaperSettings:
    choice = random.choice
    return PaperSettings(
        entry=constant(choice([0, 1, 50]) * MILLIS),
        response=constant(choice([0, 1, 50]) * MILLIS),
        queue=choice(sorted(NUMBERS)),
        queue_power=choice([1.0, 2.0, 3.0]),
    )
