"""One paper account commanded twice, at the plain venue and at the compiled one.

A story is public events and commands of ours, each at its time. Both venues tell what they say to
us in the same words; the compiled one is fed by hand, as whoever trades against it live would.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from mm.engine.parameters import convert
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelAll,
    CancelOrder,
    CancelRejected,
    Liquidity,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRejected,
    PlaceOrder,
    TimeInForce,
)
from mm.events.units import SECONDS, Nanos, OrderId
from mm.projections.compiled import ONE, ZERO, njit
from mm.sim import arrivals, stretch
from mm.sim.reasons import CANCELS, REJECTS
from mm.sim.settings import PaperSettings
from mm.sim.setup import memory_of
from mm.sim.venue import AMEND, CANCEL, CANCEL_ALL, CANCELED, ELSEWHERE, FILL, FOK, GTC, IOC, PLACE
from mm.sim.world import WIRE
from tests.oracle.plain_trading import plain_venue
from tests.sim.passing import (
    Book,
    Standing,
    World,
    books_of,
    received,
    resting,
    rows_of,
    shown,
    standing,
)

Action = tuple[Nanos, Any]
Answer = tuple[Any, ...]
TIFS: Final = {
    TimeInForce.GTC: int(GTC),
    TimeInForce.IOC: int(IOC),
    TimeInForce.FOK: int(FOK),
}
NAMES: Final = (
    *("ack", "reject", "fill", "canceled", "cancel rejected"),
    *("amended", "amend rejected"),
)
"""What the venue says, by the number of the answer."""


@njit(cache=True)
def play(m: int, until: int, other: int, matched: int, ours: int, single: int) -> bool:
    """A stretch of rows, as Python can have it played."""
    return stretch.stretch(m, until, other, matched, ours, single) != 0


@njit(cache=True)
def act(m: int, at: int, books: int) -> None:
    """Commands that have arrived act, as Python can have them do it."""
    arrivals.act(m, at, books)


class Story(NamedTuple):
    """What happens: instruments, the account, and public events and commands by their times."""

    instruments: tuple[InstrumentDefined, ...]
    paper: PaperSettings
    actions: Sequence[Action]


class Heard(NamedTuple):
    """What came of a story: answers in the order heard, and how everything stands after each."""

    answers: list[Answer]
    queues: list[list[list[Standing]]]
    books: list[Book]
    nets: list[int]


def number_of(order_id: OrderId) -> int:
    """Orders are named by their numbers."""
    return int(order_id)


def plainly(story: Story) -> Heard:
    """Command the plain venue."""
    venue = plain_venue(story.paper, seed=1)
    for defined in story.instruments:
        venue.hear(Nanos(0), defined)
    told, queues = [], []
    numbers = {OrderId(str(number)): number for number in range(1, len(story.actions) + 1)}
    for at, action in story.actions:
        if isinstance(action, PlaceOrder | AmendOrder | CancelOrder | CancelAll):
            venue.submit(at, action)
        else:
            venue.hear(at, action)
        told += venue.advance(at)
        queues.append(resting(venue, story.instruments, numbers))
    told += venue.advance(Nanos(at + SECONDS))
    answers = [_answer(fact) for fact in told]
    ids = [defined.instrument for defined in story.instruments]
    books = shown(venue, story.instruments)
    nets = [int(venue._account.net(each)) for each in ids]
    return Heard([answer for answer in answers if answer], queues, books, nets)


def _answer(fact: Any) -> Answer:
    """An answer in plain words; none for what is not said of an order."""
    match fact:
        case OrderAcked():
            said: Answer = ("ack",)
        case OrderRejected():
            said = ("reject", fact.reason)
        case OrderFilled():
            said = ("fill", fact.price, fact.size, fact.liquidity)
        case OrderCanceled():
            said = ("canceled", fact.reason, fact.filled)
        case CancelRejected():
            said = ("cancel rejected", fact.reason)
        case OrderAmended():
            said = ("amended", fact.price, fact.size)
        case AmendRejected():
            said = ("amend rejected", fact.reason)
        case _:
            return ()
    return (fact.received, fact.venue_time, number_of(fact.order_id), *said)


class Commanded:
    """The compiled venue, by hand."""

    def __init__(self, story: Story) -> None:
        """Open the account."""
        nobody = convert({"strategies": {}, "limits": {}})
        self.memory, _ = memory_of(nobody, story.paper, story.instruments)
        self.clock = self.memory.clock[0]
        self._ahead = int(story.paper.market == "venue")
        self._other = len(story.instruments) * self._ahead
        self._places = {each.instrument: at for at, each in enumerate(story.instruments)}
        events = [received(at, [action]) for at, action in story.actions if not _is_command(action)]
        self.memory.rows = rows_of(World(story.instruments, tuple(events), {}, story.paper))
        self.memory.rows["venue"] = self.memory.rows["at"]
        self.memory.refresh()
        self._slots: dict[int, int] = {}

    def hear(self, at: int) -> None:
        """Public events of this time."""
        self.advance(at - self._ahead)
        place, ours = ("j", ZERO) if self._other else ("i", ONE)
        rows = self.memory.rows
        while self.clock[place] < len(rows) and rows["at"][self.clock[place]] <= at:
            play(self.memory.address, at + 1, self._other, ONE, ours, ZERO)

    def advance(self, at: int) -> None:
        """Commands that have arrived by now act."""
        act(self.memory.address, at, self._other)

    def submit(self, at: int, intent: Any) -> None:
        """A command leaves us."""
        self.advance(at)
        instrument = self._places[intent.instrument]
        kind, slot, number = CANCEL_ALL, instrument, 0
        if not isinstance(intent, CancelAll):
            number = number_of(intent.order_id)
        if isinstance(intent, PlaceOrder):
            kind, slot = PLACE, self._place(intent, number, instrument)
        elif isinstance(intent, CancelOrder):
            kind, slot = CANCEL, self._slots.get(number, 0)
        elif isinstance(intent, AmendOrder):
            kind, slot = AMEND, self._slots.get(number, 0)
        clock = self.clock
        assert not clock["varies"], "a constant distance"
        clock["command_last"] = max(clock["command_last"], at + clock["entry"])
        message = self.memory.commands[clock["command_to"] % WIRE]
        message["arrival"], message["kind"], message["slot"] = clock["command_last"], kind, slot
        message["id"], message["instrument"] = number, instrument
        if isinstance(intent, AmendOrder):
            message["price"], message["size"] = intent.price, intent.size
        clock["command_to"] += 1

    def _place(self, intent: PlaceOrder, number: int, instrument: int) -> int:
        self.clock["free"] -= 1
        slot = self._slots[number] = int(self.memory.free[self.clock["free"]])
        order = self.memory.slots[slot]
        order["id"], order["instrument"], order["sign"] = number, instrument, int(intent.side)
        order["price"], order["size"] = intent.price, intent.size
        order["tif"], order["market"] = TIFS[intent.tif], intent.kind is OrderKind.MARKET
        order["post_only"], order["reduce_only"] = intent.post_only, intent.reduce_only
        order["state"] = ELSEWHERE
        return slot

    def answers(self) -> Iterable[Answer]:
        """All that was said, in order."""
        for k in range(int(self.clock["response_to"])):
            message = self.memory.responses[k]
            kind, reason = int(message["kind"]), int(message["reason"])
            price, size = int(message["price"]), int(message["size"])
            name = NAMES[kind]
            said: Answer = ()
            if kind == FILL:
                said = (price, size, Liquidity.TAKER if reason else Liquidity.MAKER)
            elif kind == CANCELED:
                said = (CANCELS[reason], size)
            elif "reject" in name:
                said = (REJECTS[reason],)
            elif name == "amended":
                said = (price, size)
            yield (int(message["arrival"]), int(message["at"]), int(message["id"]), name, *said)


def _is_command(action: Any) -> bool:
    return isinstance(action, PlaceOrder | AmendOrder | CancelOrder | CancelAll)


def commanded(story: Story) -> Heard:
    """Command the compiled venue."""
    venue, queues = Commanded(story), []
    for at, action in story.actions:
        if _is_command(action):
            venue.submit(at, action)
        else:
            venue.hear(at)
        venue.advance(at)
        queues.append(standing(venue.memory))
    venue.advance(at + SECONDS)
    return Heard(
        list(venue.answers()),
        queues,
        books_of(venue.memory),
        venue.memory.instruments["held"].tolist(),
    )
