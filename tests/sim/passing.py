"""One world played twice, by the plain engine at the paper venue and by the compiled pass.

A `World` is instruments, messages and settings; `plainly` and `compiled` tell what came of it in
the same words, so that they can be compared whole. `Told` holds, by order in the order of their
decision: what was asked for and how it ended; every fill in the order heard; and after chosen
messages how each resting order stands in its queue.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pytest

from mm.apps.backtest import STOP_PATIENCE, Backtest
from mm.engine.parameters import settings_in
from mm.engine.risk import Risk
from mm.events.account import FundingPaid
from mm.events.instrument import InstrumentDefined
from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelOrder,
    Liquidity,
    OrderAcked,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    PlaceOrder,
    TimeInForce,
)
from mm.events.turn import TURN_FACTS_MAX, Turn
from mm.events.units import MILLIS, InstrumentId, Nanos, OrderId, Side
from mm.events.vocabulary import Fact
from mm.gateways.base import Message
from mm.gateways.paper import PaperGateway
from mm.log.chain import START as HEAD
from mm.log.chain import advance, seal
from mm.log.row_market import DEFINED, MARKET, Market
from mm.log.row_tables import Tables
from mm.log.rows import Flag, Rows
from mm.log.spans import SpanBuilder
from mm.projections.ladder import BASE, FAR, WINDOW
from mm.sim.asking import Asker
from mm.sim.compiled_run import CompiledRun, Memory
from mm.sim.distances import ways
from mm.sim.fees import fee
from mm.sim.revisions import Revisions
from mm.sim.settings import PaperSettings
from mm.sim.setup import begin, employed, memory_of, unplayable
from mm.sim.transit import ANSWERS
from mm.strategy.rules import PYTHON
from tests.build import started
from tests.log.made_rows import joined
from tests.oracle.plain_trading import pit_of, plain_venue

Plain = dict[str, Any]
Levels = list[tuple[int, int]]


class World(NamedTuple):
    """What is played: `settings` are strategies and limits as a file would hold them."""

    instruments: tuple[InstrumentDefined, ...]
    messages: tuple[Message, ...]
    settings: Plain
    paper: PaperSettings
    seed: int = 1

    @property
    def takes_time(self) -> bool:
        """Whether every command arrives after the turn that decided it."""
        if self.paper.measured is not None:
            sent, arrived, _ = self.paper.measured.columns
            return all(sent < there for sent, there in zip(sent, arrived, strict=True) if there)
        return all(delay.least > 0 for delay in ways(self.paper)[:ANSWERS])


class Asked(NamedTuple):
    """One order: when it was decided, of whom, what, and how it ended; 0 where it did not."""

    at: int
    instrument: int
    strategy: str
    side: int
    price: int
    size: int
    level: int
    hedge: bool
    acked: int
    ended: int
    filled: int


class Filled(NamedTuple):
    """One fill, as heard; orders count from 1 in the order of their decision."""

    order: int
    venue: int
    heard: int
    side: int
    price: int
    size: int
    taker: bool


class Standing(NamedTuple):
    """A resting order: its number, lots filled, and lots of others ahead of it."""

    order: int
    filled: int
    front: float


class Book(NamedTuple):
    """All depth of an instrument at the venue, best first."""

    bids: Levels
    asks: Levels


class Told(NamedTuple):
    """All that came of a world.

    `odd` turns have no like in the pass: those after as many facts as one turn holds, for the pass
    knows no such bound, and those in which funding was heard, which it leaves to whoever asks.
    """

    orders: list[Asked]
    fills: list[Filled]
    cancels: int
    amends: int
    refusals: int
    turns: int
    nets: list[int]
    books: list[Book]
    queues: list[list[list[Standing]]]
    odd: int = 0
    fees: tuple[tuple[Decimal, str], ...] = ()


UNSEEN: Final = 2.0**61
"""More than this is no number of lots, but all that may yet appear."""


def plainly(world: World, *, watched: bool = False) -> Told:
    """Play a world with the plain engine; `watched` keeps the queues after every message."""
    gateway = PaperGateway(world.paper, world.seed)
    gateway._venue = plain_venue(world.paper, world.seed)
    for defined in world.instruments:
        gateway.define(Nanos(0), defined)
    facts: tuple[Fact, ...] = (started(**world.settings), *world.instruments)
    log, queues, refusals = _Log(), [], 0
    with pytest.MonkeyPatch.context() as patch:

        def check(*given: Any, asked: Any = Risk.check) -> Any:
            nonlocal refusals
            refusal = asked(*given)
            refusals += refusal is not None
            return refusal

        patch.setattr(Risk, "check", check)

        def messages() -> Iterable[Message]:
            for number, message in enumerate(world.messages):
                if watched and number:
                    queues.append(resting(gateway._venue, world.instruments, log.numbers))
                yield message
            if watched:
                queues.append(resting(gateway._venue, world.instruments, log.numbers))

        for sealed in Backtest(gateway).turns(facts, messages(), Nanos(0)):
            log.add(sealed.turn)
    ids = [defined.instrument for defined in world.instruments]
    nets = [int(gateway._venue._account.net(number)) for number in ids]
    return log.told(ids, refusals, nets, shown(gateway._venue, world.instruments), queues)


class _Log:
    """What a session's turns say, in the words of `Told`."""

    def __init__(self) -> None:
        """Start before the first turn."""
        self.numbers: dict[OrderId, int] = {}
        self._orders: list[tuple[int, PlaceOrder]] = []
        self._acked: dict[OrderId, int] = {}
        self._ended: dict[OrderId, int] = {}
        self._lots: dict[OrderId, int] = {}
        self._fills: list[Filled] = []
        self._fees: list[tuple[Decimal, str]] = []
        self._amended: dict[OrderId, Any] = {}
        self._asked: dict[OrderId, AmendOrder] = {}
        self._cancels = self._amends = self._turns = self._odd = 0

    def add(self, turn: Turn) -> None:
        """Take a turn."""
        self._turns += 1
        paid = any(isinstance(fact, FundingPaid) for fact in turn.facts)
        self._odd += paid or len(turn.facts) == TURN_FACTS_MAX
        for fact in turn.facts:
            match fact:
                case OrderAcked():
                    self._acked[fact.order_id] = turn.at
                case OrderRejected() | OrderCanceled():
                    self._ended[fact.order_id] = turn.at
                case OrderFilled():
                    self._fill(turn.at, fact)
                case OrderAmended():
                    self._amended[fact.order_id] = fact
                    self._answered(turn.at, fact.order_id)
                case AmendRejected():
                    self._answered(turn.at, fact.order_id)
        for decision in turn.decisions:
            if isinstance(decision, PlaceOrder):
                self._orders.append((turn.at, decision))
                self.numbers[decision.order_id] = len(self._orders)
            self._cancels += isinstance(decision, CancelOrder)
            if isinstance(decision, AmendOrder):
                self._amends += 1
                self._asked[decision.order_id] = decision

    def _fill(self, at: int, fact: OrderFilled) -> None:
        number = self.numbers[fact.order_id]
        taker = fact.liquidity is Liquidity.TAKER
        what = (int(fact.side), fact.price, fact.size, taker)
        self._fees.append((fact.fee, fact.fee_asset))
        self._fills.append(Filled(number, fact.venue_time, at, *what))
        self._lots[fact.order_id] = self._lots.get(fact.order_id, 0) + fact.size
        self._close(at, fact.order_id)

    def _answered(self, at: int, order_id: OrderId) -> None:
        """No amend is under way any more: it may be all that kept an order alive."""
        self._asked.pop(order_id, None)
        self._close(at, order_id)

    def _close(self, at: int, order_id: OrderId) -> None:
        """It is over, once all that may be asked of it is filled."""
        placed: Any = self._orders[self.numbers[order_id] - 1][1]
        size = self._amended.get(order_id, placed).size
        most = max(size, self._asked[order_id].size if order_id in self._asked else 0)
        if self._lots.get(order_id, 0) >= most:
            self._ended.setdefault(order_id, at)

    def told(
        self,
        ids: list[InstrumentId],
        refusals: int,
        nets: list[int],
        books: list[Book],
        queues: Any,
    ) -> Told:
        """All of it."""
        orders = [
            Asked(
                at=at,
                instrument=ids.index(order.instrument),
                strategy=order.strategy,
                side=int(order.side),
                price=self._amended.get(order.order_id, order).price,
                size=self._amended.get(order.order_id, order).size,
                level=order.level,
                hedge=order.tif is TimeInForce.IOC,
                acked=self._acked.get(order.order_id, 0),
                ended=self._ended.get(order.order_id, 0),
                filled=self._lots.get(order.order_id, 0),
            )
            for at, order in self._orders
        ]
        turns = self._turns - FRAME
        told = Told(
            *(orders, self._fills, self._cancels, self._amends, refusals, turns),
            *(nets, books, queues),
        )
        return told._replace(odd=self._odd, fees=tuple(self._fees))


FRAME: Final = 3
"""Turns of a session that the pass has not: its opening, the account's report, its end."""


def _sorted(levels: dict[int, int], sign: int) -> Levels:
    return sorted(levels.items(), key=lambda level: sign * level[0])


def shown(venue: Any, instruments: Iterable[InstrumentDefined]) -> list[Book]:
    """The depth of each instrument at the plain venue."""
    books = [pit_of(venue, defined.instrument).book for defined in instruments]
    return [Book(_sorted(book.bids.levels, -1), _sorted(book.asks.levels, 1)) for book in books]


def resting(
    venue: Any, instruments: Iterable[InstrumentDefined], numbers: dict[OrderId, int]
) -> list[list[Standing]]:
    """How every resting order stands at the plain venue: bids, then asks of each instrument."""
    pits = [pit_of(venue, defined.instrument) for defined in instruments]
    return [
        [
            Standing(numbers[order.order_id], order.filled, min(float(order.front), UNSEEN))
            for price in side.prices
            for order in side.at(price)
        ]
        for pit in pits
        for side in (pit.bids, pit.asks)
    ]


def rows_of(world: World) -> Rows:
    """A world's messages as rows."""
    return tables_and_rows(world)[1]


def tables_and_rows(world: World) -> tuple[Tables, Rows]:
    """The same with the tables they refer to, by way of a log of the messages."""
    builder, head = SpanBuilder(), HEAD
    facts: list[tuple[Nanos, tuple[Any, ...]]] = [(Nanos(0), world.instruments)]
    facts += [(message.received, message.facts) for message in world.messages]
    for at, heard in facts:
        sealed = seal(head, at, heard, ())
        head = advance(head, sealed)
        builder.add(sealed)
    tables = builder.tables()
    span = {tag: tables[tag] for tag in tables if tag in {*MARKET, DEFINED}}
    market = Market([span], where="here")
    rows = joined(market.blocks())
    return market.tables, rows


def prepared(world: World, every: int = 0) -> tuple[Memory, tuple[str, ...]]:
    """The memory of a run of a world, at its first message, and its desks' names.

    With `every`, points are sampled that often.
    """
    settings = settings_in(started(**world.settings).config)
    why = unplayable(settings, world.paper)
    assert not why, why
    memory, names = memory_of(settings, world.paper, world.instruments, world.seed)
    begin(memory, world.messages[0].received, Nanos(every))
    return memory, names


def compiled(world: World, *, watched: bool = False, python: bool = False) -> Told:
    """Play a world with the compiled pass; `watched` keeps the queues after every message.

    With `python` strategies are asked as the objects that they are.
    """
    memory, names = prepared(world)
    asker = asker_of(world, memory) if python else None
    tables, rows = tables_and_rows(world)
    revisions = _revisions(world, memory, tables, asker)
    run = CompiledRun(memory, asker, revisions.take)
    queues: Any = []
    if watched:
        ends = np.flatnonzero(rows["flags"] & Flag.TURN) + 1
        start = 0
        for end in ends.tolist():
            run.feed(rows[start:end])
            queues.append(standing(memory))
            start = end
    else:
        run.feed(rows)
    run.end(STOP_PATIENCE)
    revisions.number()
    told = told_by(memory, names, queues)
    return told._replace(fees=tuple(_fees(memory, tables)))


def _revisions(
    world: World, memory: Memory, tables: Tables, asker: Asker | None = None
) -> Revisions:
    settings = settings_in(started(**world.settings).config)
    return Revisions(memory, settings, world.instruments, tables.revisions, asker)


def _fees(memory: Memory, tables: Tables) -> Iterable[tuple[Decimal, str]]:
    """What each fill costs by the definition that it is numbered with."""
    for fill in records(memory.fills[: memory.clock["fills"][0]]):
        number = fill["revision"]
        defined = tables.revisions[number - 1] if number else tables.instruments[fill["instrument"]]
        liquidity = Liquidity.TAKER if fill["taker"] else Liquidity.MAKER
        yield fee(defined, Side(fill["side"]), fill["price"], fill["size"], liquidity)


def asker_of(world: World, memory: Memory) -> Asker:
    """Who asks a world's strategies as the objects that they are."""
    memory.desks["rule"] = PYTHON
    settings = settings_in(started(**world.settings).config)
    desks = [(name, strategy) for _, name, strategy in employed(settings, world.instruments)]
    return Asker(memory, world.instruments, desks)


def left_by(world: World, block: int = 0) -> bytes:
    """All bytes that a run leaves, fed in blocks of so many rows, 0: whole."""
    memory, _ = prepared(world, every=5 * MILLIS)
    tables, rows = tables_and_rows(world)
    run = CompiledRun(memory, revise=_revisions(world, memory, tables).take)
    for start in range(0, len(rows), block or len(rows)):
        run.feed(rows[start : start + (block or len(rows))])
    run.end(STOP_PATIENCE)
    clock = memory.clock[0]
    kept = (getattr(memory, name)[: clock[name]] for name in ("orders", "fills", "points"))
    return b"".join(array.tobytes() for array in kept)


def told_by(memory: Memory, names: Sequence[str], queues: Any = ()) -> Told:
    """What a memory holds after its run."""
    clock = memory.clock[0]
    orders = [
        Asked(
            at=order["placed"],
            instrument=order["instrument"],
            strategy=names[order["desk"]],
            side=order["side"],
            price=order["price"],
            size=order["size"],
            level=order["level"],
            hedge=bool(order["reason"]),
            acked=order["acked"],
            ended=order["ended"],
            filled=order["filled"],
        )
        for order in records(memory.orders[: clock["orders"]])
    ]
    fills = [
        Filled(
            order=fill["order"],
            venue=fill["at"],
            heard=fill["heard"],
            side=fill["side"],
            price=fill["price"],
            size=fill["size"],
            taker=bool(fill["taker"]),
        )
        for fill in records(memory.fills[: clock["fills"]])
    ]
    cancels, amends = int(clock["cancels"]), int(clock["amends"])
    refused, turns = int(clock["refused"]), int(clock["turns"])
    nets = memory.instruments["held"].tolist()
    return Told(
        *(orders, fills, cancels, amends, refused, turns),
        *(nets, books_of(memory), list(queues)),
    )


def records(array: Any) -> Iterable[dict[str, Any]]:
    """The records of an array as dicts of plain numbers."""
    columns = [array[name].tolist() for name in array.dtype.names]
    for values in zip(*columns, strict=True):
        yield dict(zip(array.dtype.names, values, strict=True))


def books_of(memory: Memory) -> list[Book]:
    """The depth of the books that are matched against: the last ones."""
    first = len(memory.markets) - len(memory.instruments)
    return [
        Book(levels(memory, book, 0), levels(memory, book, 1))
        for book in range(first, len(memory.markets))
    ]


def levels(memory: Memory, book: int, side: int) -> Levels:
    """All levels of a side, best first, read without the pass's own functions."""
    ladder, sign = memory.ladder, 1 - 2 * side
    base = int(ladder.heads[book, BASE])
    found = {base + cell: int(ladder.sizes[book, side, cell]) for cell in _used(ladder, book, side)}
    for place in range(int(ladder.heads[book, FAR + side])):
        price = sign * int(ladder.far_keys[book, side, place])
        assert not base <= price < base + WINDOW, "a far level within the window"
        found[price] = int(ladder.far_sizes[book, side, place])
    return _sorted(found, -sign)


def _used(ladder: Any, book: int, side: int) -> list[int]:
    cells: list[int] = np.flatnonzero(ladder.sizes[book, side]).tolist()
    return cells


def standing(memory: Memory) -> list[list[Standing]]:
    """How every resting order stands at the compiled venue: as `resting`."""
    slots = memory.slots
    return [
        [
            Standing(
                int(slots["id"][slot]),
                int(slots["filled"][slot]),
                min(float(slots["front"][slot]), UNSEEN),
            )
            for slot in memory.queues[instrument, side, : memory.queued[instrument, side]]
        ]
        for instrument in range(len(memory.instruments))
        for side in (0, 1)
    ]


def assert_same(plain: Told, fast: Told) -> None:
    """Equal in everything; says which part differs first, and where."""
    for queue, (one, other) in enumerate(zip(plain.queues, fast.queues, strict=True)):
        assert one == other, f"queues differ after message {queue}"
    for name in ("orders", "fills"):
        pairs = zip(getattr(plain, name), getattr(fast, name), strict=False)
        for number, (one, other) in enumerate(pairs, 1):
            assert one == other, f"{name} differ from number {number} on"
    names = ["orders", "fills", "cancels", "amends", "nets", "books"]
    names += ["fees"] if fast.fees else []
    names += [] if plain.odd else ["refusals", "turns"]
    for name in names:
        assert getattr(plain, name) == getattr(fast, name), name


def received(at: Nanos, facts: Iterable[Any]) -> Message:
    """A message whose facts all came at its time; the venue's stamp, if any, is before it."""
    stamped = [
        fact if isinstance(fact, InstrumentDefined) else msgspec.structs.replace(fact, received=at)
        for fact in facts
    ]
    return Message(at, tuple(stamped))
