"""The plain venue and the compiled one, to which the same happens: what they tell must be equal."""

from collections.abc import Iterable
from typing import Any, Final

from hypothesis import strategies as st
from msgspec.structs import replace

from mm.events.base import MarketEvent
from mm.events.codec import encode_event
from mm.events.instrument import InstrumentDefined
from mm.events.orders import AmendOrder, CancelOrder, OrderKind, PlaceOrder, TimeInForce
from mm.events.units import InstrumentId, Nanos, OrderId
from mm.sim.compiled_trading import CompiledTrading, compiled_venue
from mm.sim.paper import Heard
from mm.sim.settings import PaperSettings
from tests.build import START, cancel, placed
from tests.oracle.plain_trading import pit_of, plain_venue
from tests.oracle.whole import Whole
from tests.sim.build import amend, cancels_all
from tests.sim.passing import Levels, levels
from tests.sim.stories import Action
from tests.sim.worlds import MIDDLE, sides, sizes

Standing = tuple[OrderId, int, int, float]
"""An order at rest: its name, price, lots left and lots ahead of it."""


class Twins:
    """Both venues; every call is one to both, and finds them equal afterwards.

    What they tell is compared after each call, all else after every so many.
    """

    def __init__(
        self, settings: PaperSettings, *instruments: InstrumentDefined, every: int = 1
    ) -> None:
        """Define the instruments."""
        self.plain, self.fast = plain_venue(settings, 5), compiled_venue(settings, 5)
        self._every, self._calls = every, 0
        self.instruments = [each.instrument for each in instruments]
        self.told: list[Heard] = []
        for number, defined in enumerate(instruments):
            self.hear(Nanos(number), defined)

    def hear(self, at: Nanos, event: MarketEvent | InstrumentDefined) -> None:
        """A public event."""
        for venue in (self.plain, self.fast):
            venue.hear(at, event)
        self.listen(at)

    def submit(self, at: Nanos, action: Any) -> None:
        """A command of ours."""
        for venue in (self.plain, self.fast):
            venue.submit(at, action)
        self.listen(at)

    def does(self, at: Nanos, action: Action) -> None:
        """Either."""
        if isinstance(action, MarketEvent):
            self.hear(at, action)
        else:
            self.submit(at, action)

    def restore(self, reports: Iterable[Any]) -> None:
        """What an earlier run left."""
        kept = list(reports)
        for venue in (self.plain, self.fast):
            venue.restore(kept)

    def listen(self, at: Nanos) -> None:
        """What reaches us by now is equal to the byte, and so is all that can be asked about."""
        plain, fast = self.plain.advance(at), self.fast.advance(at)
        assert plain == fast
        assert [encode_event(fact) for fact in plain] == [encode_event(fact) for fact in fast]
        self.told += fast
        assert self.plain.arrivals() == self.fast.arrivals()
        self._calls += 1
        if self._calls % self._every == 0:
            self._look(at)

    def _look(self, at: Nanos) -> None:
        assert self.plain.open_orders() == self.fast.open_orders()
        assert self.plain.report(at) == self.fast.report(at)
        for instrument in self.instruments:
            assert plain_queues(self, instrument) == fast_queues(self, instrument)
            assert self.plain.trading(instrument).mid2 == self.fast.trading(instrument).mid2

    def end(self, at: Nanos) -> None:
        """Nothing is under way any more; the books are equal, and what is known of each order."""
        self.listen(at)
        self._look(at)
        for instrument in self.instruments:
            assert plain_book(self, instrument) == fast_book(self, instrument)
        for fact in self.told:
            name = getattr(fact, "order_id", None)
            if name is not None:
                assert self.plain.query(name) == self.fast.query(name)


def plain_queues(twins: Twins, instrument: InstrumentId) -> list[list[Standing]]:
    """Bids and asks at rest at the plain venue, best first."""
    pit = pit_of(twins.plain, instrument)
    return [
        [
            (order.order_id, price, order.leaves, float(order.front))
            for price in queues.prices
            for order in queues.at(price)
        ]
        for queues in (pit.bids, pit.asks)
    ]


def fast_queues(twins: Twins, instrument: InstrumentId) -> list[list[Standing]]:
    """Bids and asks at rest at the compiled venue, best first."""
    trading = compiled_at(twins, instrument)
    memory, orders = trading._memory, trading._orders
    found = []
    for side in (0, 1):
        slots = memory.queues[0, side, : memory.queued[0, side]].tolist()
        rows = [(orders[slot].order_id, memory.slots[slot]) for slot in slots]
        found.append(
            [
                (name, int(row["price"]), int(row["size"] - row["filled"]), float(row["front"]))
                for name, row in rows
            ]
        )
    return found


def compiled_at(twins: Twins, instrument: InstrumentId) -> CompiledTrading:
    """An instrument at the compiled venue."""
    trading = twins.fast.trading(instrument)
    assert isinstance(trading, CompiledTrading)
    return trading


def plain_book(twins: Twins, instrument: InstrumentId) -> tuple[bool, list[Levels]]:
    """Whether the plain book may be used, its depth, and what we took."""
    pit = pit_of(twins.plain, instrument)
    sides: Any = (pit.book.bids, pit.book.asks)
    taken = [sorted(filter(_some, side.taken.items())) for side in sides]
    if isinstance(pit.matching, Whole):
        sides = (pit.matching.bids, pit.matching.asks)
    depth = [sorted(side.levels.items(), key=lambda level: -level[0] * side.sign) for side in sides]
    return pit.matching.usable, [*depth, *taken]


def _some(level: tuple[int, int]) -> bool:
    return level[1] > 0


def fast_book(twins: Twins, instrument: InstrumentId) -> tuple[bool, list[Levels]]:
    """The same of the compiled one."""
    memory = compiled_at(twins, instrument)._memory
    market = memory.markets[0]
    taken = memory.taken[0, : memory.instruments["taken"][0]].tolist()
    found = [sorted((price, lots) for at, price, lots, _ in taken if at == side) for side in (0, 1)]
    usable = not market["lost"] & 1 and bool(market["has_depth"] or market["has_quote"])
    return usable, [levels(memory, 0, 0), levels(memory, 0, 1), *found]


# -- stories ---------------------------------------------------------------------------------------

prices = st.integers(MIDDLE - 4, MIDDLE + 4)
names = st.integers(1, 4).map(lambda number: f"o{number}")
makers = st.builds(placed, st.just(""), sides, prices, sizes)
takers = st.builds(
    placed,
    st.just(""),
    sides,
    prices,
    st.one_of(sizes, st.integers(20, 60)),
    kind=st.sampled_from([OrderKind.LIMIT, OrderKind.LIMIT, OrderKind.MARKET]),
    tif=st.sampled_from([TimeInForce.GTC, *TimeInForce]),
    post_only=st.sampled_from([False, False, False, True]),
    reduce_only=st.sampled_from([False, False, False, True]),
)
strangers = st.builds(placed, st.just(""), sides, prices, sizes, wallet=st.just("other"))
amends = st.builds(amend, names, prices, st.integers(0, 14))
alls = st.builds(cancels_all)
canceled = names.map(cancel)
WEIGHTED: Final = [*[makers] * 7, *[takers] * 4, *[canceled] * 2, *[amends] * 6, alls]
commands = st.integers(0, len(WEIGHTED) - 1).flatmap(WEIGHTED.__getitem__)


def numbered(
    story: list[tuple[int, int, Action]], instruments: list[InstrumentId]
) -> list[tuple[Nanos, Action]]:
    """A story with times; its orders are named in turn.

    What is said of order `o3` is said of the third last one that was sent before.
    """
    at, where, told = int(START), list[InstrumentId](), []
    for gap, which, action in story:
        at += gap
        changes: dict[str, Any] = {"instrument": instruments[which % len(instruments)]}
        if isinstance(action, PlaceOrder):
            changes["order_id"] = OrderId(f"o{len(where)}")
            where.append(changes["instrument"])
        elif isinstance(action, AmendOrder | CancelOrder):
            number = len(where) - int(action.order_id[1:])
            changes["order_id"] = OrderId(f"o{number}")
            if number >= 0 and which:  # Else it may be said where the order is not.
                changes["instrument"] = where[number]
        told.append((Nanos(at), replace(action, **changes)))
    return told
