"""The lives of orders against a model that steps through nothing: it looks at all that was said.

The model keeps each order's history and answers from the whole of it. An order is closed by the
first ending in its history or by fills up to its size; what it may still fill follows from sizes,
fills and amends under way. The fold has to agree after every single event.
"""

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    PlaceOrder,
    RejectReason,
    Resolution,
)
from mm.events.units import OrderId, Side
from mm.events.vocabulary import Event
from mm.projections.state import State
from tests import build
from tests.build import BTC

ENDINGS: Final = (OrderRejected, OrderCanceled, OrderExpired)
sides = st.sampled_from(Side)
sizes = st.integers(1, 6)
prices = st.integers(95, 105)
which = st.integers(0, 50)


class History:
    """All that was said of one order, and what follows from it."""

    def __init__(self, placed: PlaceOrder) -> None:
        """It was intended."""
        self.placed = placed
        self.said: list[Event] = [placed]
        self.duplicate_fills: list[OrderFilled] = []

    @property
    def filled(self) -> int:
        """Lots of every fill."""
        return sum(event.size for event in self.said if isinstance(event, OrderFilled))

    @property
    def size(self) -> int:
        """What it was amended to last, while it was live."""
        amends = [event.size for event in self.said if isinstance(event, OrderAmended)]
        return amends[-1] if amends else self.placed.size

    @property
    def asked(self) -> int:
        """The size that an unanswered amend asks for; 0 without one."""
        asked = 0
        for event in self.said:
            match event:
                case AmendOrder():
                    asked = event.size
                case OrderAmended() | AmendRejected() | OrderResolved():
                    asked = 0
                case _:
                    pass
        return asked

    @property
    def told(self) -> int:
        """The most that the venue said was filled."""
        told = [
            each.filled for each in self.said if isinstance(each, OrderCanceled | OrderResolved)
        ]
        return max(told, default=0)

    @staticmethod
    def ends(event: Event) -> bool:
        """Whether this alone ends an order."""
        match event:
            case OrderRejected():
                return event.reason is not RejectReason.DUPLICATE_ID
            case OrderResolved():
                return event.resolution is not Resolution.OPEN
            case _:
                return isinstance(event, ENDINGS)


class Lives(RuleBasedStateMachine):
    """Rules are what engine and venue may do; the invariants are what must hold after each."""

    def __init__(self) -> None:
        """No order yet."""
        super().__init__()
        self.state = build.given()
        self.histories: dict[OrderId, History] = {}
        self.closed: set[OrderId] = set()
        self.position = 0
        self.fills = 0

    def history(self, number: int) -> History:
        """One of the orders."""
        return list(self.histories.values())[number % len(self.histories)]

    def happens(self, event: Event, *of: History) -> None:
        """Tell the fold and the model."""
        build.when(self.state, event)
        for history in of:
            order_id = history.placed.order_id
            if isinstance(event, OrderAmended) and order_id in self.closed:
                continue
            history.said.append(event)
            most = max(history.size, history.asked)
            if history.ends(event) or history.filled >= most:
                self.closed.add(order_id)

    @rule(side=sides, size=sizes, price=prices)
    def place(self, side: Side, size: int, price: int) -> None:
        """A new order."""
        event = build.placed(f"o{len(self.histories)}", side, price, size)
        self.histories[event.order_id] = History(event)
        build.when(self.state, event)

    @precondition(lambda self: self.histories)
    @rule(number=which)
    def cancel(self, number: int) -> None:
        """The engine cancels what is live."""
        history = self.history(number)
        if history.placed.order_id not in self.closed:
            self.happens(build.cancel(history.placed.order_id), history)

    @precondition(lambda self: self.histories)
    @rule(number=which, size=sizes, price=prices)
    def amend(self, number: int, size: int, price: int) -> None:
        """The engine amends what it knows to rest."""
        history = self.history(number)
        order = self.state.orders.get(history.placed.order_id)
        if order is not None and order.resting:
            self.happens(build.amend(order.order_id, price, size), history)

    @rule()
    def cancel_all(self) -> None:
        """A halt."""
        build.when(self.state, build.cancel_all())

    @precondition(lambda self: self.histories)
    @rule(number=which, size=sizes, price=prices, more=st.booleans())
    def fill(self, number: int, size: int, price: int, more: bool) -> None:
        """A part, or all that is left, whatever the order's status."""
        history = self.history(number)
        size = size if more else max(1, history.size - history.filled)
        self.fills += 1
        placed = history.placed
        event = build.filled(placed.order_id, placed.side, price, size, f"f{self.fills}")
        self.position += placed.side * size
        self.happens(event, history)
        history.duplicate_fills.append(event)

    @precondition(lambda self: any(each.duplicate_fills for each in self.histories.values()))
    @rule(number=which)
    def fill_again(self, number: int) -> None:
        """A fill that was told before."""
        fills = [fill for each in self.histories.values() for fill in each.duplicate_fills]
        build.when(self.state, fills[number % len(fills)])

    @precondition(lambda self: self.histories)
    @rule(number=which, command=st.sampled_from(["place", "amend", "cancel"]))
    def say_nothing_final(self, number: int, command: str) -> None:
        """Submitted, acked, in doubt, refused to cancel: none of it ends an order."""
        name = self.history(number).placed.order_id
        again = build.rejected(name, RejectReason.DUPLICATE_ID)
        events: list[Event] = [build.submitted(name, command), build.uncertain(name, command)]
        events += [build.acked(name), build.cancel_rejected(name), again]
        self.happens(events[number % len(events)], self.history(number))

    @precondition(lambda self: self.histories)
    @rule(number=which, size=sizes, price=prices)
    def answer_amend(self, number: int, size: int, price: int) -> None:
        """Amended, or not."""
        name = self.history(number).placed.order_id
        amended = build.amended(name, price, size) if number % 2 else build.amend_rejected(name)
        self.happens(amended, self.history(number))

    @precondition(lambda self: self.histories)
    @rule(number=which, told=st.integers(-1, 6))
    def end(self, number: int, told: int) -> None:
        """Canceled, expired, rejected."""
        name = self.history(number).placed.order_id
        ends: list[Event] = [build.canceled(name, told), build.expired(name), build.rejected(name)]
        self.happens(ends[number % 3], self.history(number))

    @precondition(lambda self: self.histories)
    @rule(number=which, resolution=st.sampled_from(Resolution), told=st.integers(0, 6))
    def resolve(self, number: int, resolution: Resolution, told: int) -> None:
        """The venue's evidence; an order that it calls filled, it says was filled whole."""
        history = self.history(number)
        order = self.state.orders.get(history.placed.order_id)
        if resolution is Resolution.FILLED and order is not None:
            told = order.size
        self.happens(build.resolved(history.placed.order_id, resolution, told), history)

    @rule()
    def restart(self) -> None:
        """A dump, and the fold goes on from it."""
        dumped = self.state.dump()
        self.state = State()
        self.state.load(dumped)

    @invariant()
    def fills_are_never_lost(self) -> None:
        """The position is the sum of the fills, and each order has its own."""
        assert self.state.ledger.net(BTC) == self.position
        for order_id, history in self.histories.items():
            order = self.state.orders.get(order_id)
            assert order is not None
            assert order.filled == history.filled

    @invariant()
    def live_is_what_nothing_ended(self) -> None:
        """Live orders are those whose history holds no ending."""
        live = [order.order_id for order in self.state.orders.live]
        assert live == [each for each in self.histories if each not in self.closed]

    @invariant()
    def exposure_follows_from_the_histories(self) -> None:
        """Open, in flight and in doubt at the worst; of closed orders the fills yet to come."""
        for side in Side:
            expected = 0
            for order_id, history in self.histories.items():
                if history.placed.side is side:
                    closed = order_id in self.closed
                    most = history.told if closed else max(history.size, history.asked)
                    expected += max(0, most - history.filled)
            assert self.state.orders.leaves(BTC, side) == expected


TestLives = Lives.TestCase
TestLives.settings = settings()
