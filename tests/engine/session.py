"""An engine at work, turn by turn: what it heard and decided, sealed as a log would hold it.

`Session` tells it what happens, `Probe` and `Broken` take a strategy's place, and `play` makes a
random session in which market and venue do what they may.
"""

from typing import Any, Final, TypeVar

import msgspec
from hypothesis import strategies as st

from mm.engine.core import Engine, Outcome
from mm.events.instrument import InstrumentDefined
from mm.events.orders import CancelAll, CancelOrder, PlaceOrder, Resolution
from mm.events.session import (
    NoQuoteReason,
    ParameterChanged,
    SessionStarted,
    StopRequested,
    TradingHalted,
    TradingRearmed,
)
from mm.events.units import MILLIS, Nanos, Seq, Side
from mm.events.vocabulary import Event, Fact
from mm.log.chain import START as EMPTY
from mm.log.chain import Head, Sealed, advance, seal
from mm.projections.lifecycle import Status
from mm.projections.orders import Order
from mm.strategy.base import MarketView, Wakes, Wanted, nothing
from tests.build import (
    BTC,
    START,
    acked,
    cancel_rejected,
    canceled,
    filled,
    gapped,
    instrument,
    printed,
    quote,
    reconciled,
    rejected,
    resolved,
    resynced,
    settings,
    snapshot,
    started,
    uncertain,
)

TOUCH: Final = quote(9_999, 10_001)
HALT: Final = TradingHalted(who="ann", reason="lunch")
REARM: Final = TradingRearmed(who="ann", reason="back")
STOP: Final = StopRequested(who="ann", reason="done")
Kind = TypeVar("Kind", bound=Event)


def plain(strategies: dict[str, dict[str, Any]], **limits: Any) -> dict[str, Any]:
    """Settings of several makers on the test instrument."""
    made = settings()
    maker, name = made["strategies"]["maker"], "paper:BTCUSDT"
    made["strategies"] = {each: {**maker, **changes} for each, changes in strategies.items()}
    made["limits"][name] = {**made["limits"][name], **limits}
    return made


class Session:
    """One maker of ten lots a side, ten basis points from the mid, on a market of its own."""

    def __init__(self, config: dict[str, Any] | None = None, **changes: Any) -> None:
        """Nothing has happened yet; `changes` go to the one maker."""
        self.engine = Engine()
        self.config = config or settings(**changes)
        self.head: Head = EMPTY
        self.turns: list[Sealed] = []
        self.at = START
        self.outcome = Outcome((), ())

    def hears(self, *facts: Fact, after: int = MILLIS) -> Outcome:
        """One turn, a millisecond later unless said otherwise."""
        self.at = Nanos(self.at + after)
        self.outcome = self.engine.step(self.at, facts)
        sealed = seal(self.head, self.at, self.outcome.facts, self.outcome.decisions)
        self.head = advance(self.head, sealed)
        self.turns.append(sealed)
        return self.outcome

    def starts(self, *instruments: InstrumentDefined) -> "Session":
        """The first turn of a session."""
        first: SessionStarted = started(**self.config)
        self.hears(first, *(instruments or (instrument(),)))
        return self

    def quotes(self) -> "Session":
        """Started, reconciled, and quoting around 10,000."""
        self.starts()
        self.hears(quote(9_999, 10_001), reconciled())
        return self

    def decided(self, kind: type[Kind]) -> list[Kind]:
        """The decisions of a kind in the last turn."""
        return [each for each in self.outcome.decisions if isinstance(each, kind)]

    def answers(self) -> "Session":
        """The venue does as the last turn asked; its answers are the next turn."""
        facts: list[Fact] = []
        for decision in self.outcome.decisions:
            match decision:
                case PlaceOrder():
                    facts.append(acked(decision.order_id))
                case CancelOrder():
                    facts.append(canceled(decision.order_id))
                case CancelAll():
                    live = self.engine.state.orders.live_of(decision.instrument)
                    facts += [canceled(order.order_id) for order in live]
                case _:
                    pass
        if facts:
            self.hears(*facts)
        return self

    def live(self, side: Side | None = None) -> list[Order]:
        """Live orders, of one side if asked."""
        orders = self.engine.state.orders.live_of(BTC)
        return [order for order in orders if side in (None, order.side)]

    def prices(self) -> list[int]:
        """The prices of all live orders, low to high."""
        return sorted(order.price for order in self.live())


class Probe(msgspec.Struct, frozen=True):
    """A strategy that notes what it is asked, and wants what it is told to want."""

    wakes: Wakes
    wants: Wanted = nothing(NoQuoteReason.WARMING_UP)
    seen: list[MarketView] = []

    @property
    def rule(self) -> object:
        """All of it."""
        return self

    def initial(self) -> int:
        """It counts how often it was asked."""
        return 0

    def decide(self, view: MarketView, memory: int) -> tuple[Wanted, int]:
        """The same, whatever it sees."""
        self.seen.append(view)
        return self.wants, memory + 1


class Broken(msgspec.Struct, frozen=True):
    """A strategy with a bug of its own."""

    error: type[Exception]
    wakes: Wakes = Wakes()

    @property
    def rule(self) -> object:
        """All of it."""
        return self

    def initial(self) -> None:
        """It remembers nothing."""

    def decide(self, view: MarketView, memory: None) -> tuple[Wanted, None]:
        """Raise, as soon as there is a book to quote from."""
        if not view.book.usable:
            return nothing(NoQuoteReason.NO_BOOK), None
        raise self.error(f"asked at {view.at}, remembering {memory}")


def employ(engine: Engine, name: str, strategy: Any) -> None:
    """Put another strategy at a desk."""
    for post in engine.posts.values():
        for desk in post.desks:
            if desk.name == name:
                desk.adopt(strategy, engine.at, amend=False)
                desk.cause = Seq(0)


Draw = tuple[int, int, int]
draws: Final[st.SearchStrategy[list[Draw]]] = st.lists(
    st.tuples(st.integers(0, 19), st.integers(0, 30), st.integers(0, 2_000)), max_size=40
)


def play(drawn: list[Draw], **changes: Any) -> Session:
    """A random session: a market that moves, and a venue that answers as venues do, or does not."""
    session = Session(plain({"maker": {"levels": 2, "hedge_above": "0.03", **changes}}))
    session.quotes()
    middle = 10_000
    for number, (kind, which, pause) in enumerate(drawn):
        after = 1 + pause * MILLIS
        if kind < 6:
            middle += which - 15
            session.hears(quote(middle - 1, middle + 1 + which % 3), after=after)
        elif kind < 15:
            session.hears(*_answers(session, kind, which, number), after=after)
        else:
            session.hears(*_incident(kind, which, middle), after=after)
    return session


def _answers(session: Session, kind: int, which: int, number: int) -> list[Fact]:
    live = session.live()
    if not live:
        return [printed(10_000, 1 + which)]
    order = live[which % len(live)]
    name, some = order.order_id, max(1, order.leaves // 2)
    fill = filled(name, order.side, order.price, some, f"f{number}", strategy=order.strategy)
    if kind == 14:  # All that is open, at once.
        return [
            filled(each.order_id, each.side, each.price, each.leaves, f"{each.order_id}-{number}")
            for each in live
        ]
    answers: list[list[Fact]] = [
        [acked(each.order_id) for each in live if each.status is Status.PENDING_NEW],
        [canceled(each.order_id) for each in live if each.status is Status.PENDING_CANCEL],
        [acked(name), fill],
        [fill, canceled(name)],
        [rejected(name)],
        [cancel_rejected(name)],
        [uncertain(name, ("place", "cancel")[which % 2])],
        [resolved(name, list(Resolution)[which % 4], order.filled)],
    ]
    return answers[kind % len(answers)] or [printed(10_000, 1)]


def _incident(kind: int, which: int, middle: int) -> list[Fact]:
    field, value = CHANGES[which % len(CHANGES)]
    incidents: list[list[Fact]] = [
        [gapped()],
        [snapshot((middle - 1, 5), (middle + 2, 5), sequence=which), resynced()],
        [TradingHalted(who="ann", reason="lunch")],
        [TradingRearmed(who="ann", reason="back"), reconciled()],
        [ParameterChanged(who="ann", name=field, old="", new=value)],
    ]
    return incidents[kind % len(incidents)]


CHANGES: Final = [
    ("strategies.maker.half_spread_bps", "5"),
    ("strategies.maker.levels", "1"),
    ("strategies.maker.amend", "true"),
    ("strategies.maker.refresh", "100ms"),
    ("limits.paper:BTCUSDT.position_max", "0.05"),
    ("limits.paper:BTCUSDT.messages_per_second_max", "5"),
]
