"""The compiled venue for whoever trades live: one instrument, one event or command at a time.

Book, queues, matching and what commands do are those of the compiled pass; an order has a slot
there from its arrival to its end. Here is what only an account knows: names of orders, money, and
what is told. Time and latency are the caller's.
"""

from functools import partial
from typing import Final

import numpy as np

from mm.errors import ConfigError
from mm.events.base import MarketEvent
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import FeedResynced
from mm.events.orders import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Liquidity,
    OrderKind,
    PlaceOrder,
    RejectReason,
    TimeInForce,
)
from mm.events.units import InstrumentId, Nanos, OrderId, Side
from mm.events.vocabulary import Intent
from mm.sim.chances import Takers
from mm.sim.clerk import Clerk
from mm.sim.compiled_run import Memory
from mm.sim.counter import comes, costs, gets
from mm.sim.ear import Ear
from mm.sim.fees import EXACT
from mm.sim.funds import reservation
from mm.sim.order import Order, Standing
from mm.sim.paper import PaperVenue
from mm.sim.queue_models import number_of, parameter
from mm.sim.reasons import CANCELS, REJECTS
from mm.sim.results import ORDER
from mm.sim.settings import PaperSettings
from mm.sim.setup import filters
from mm.sim.trading import Free
from mm.sim.venue import (
    ACK,
    AMEND,
    AMENDED,
    CANCEL,
    CANCEL_ALL,
    CANCELED,
    ELSEWHERE,
    FILL,
    FOK,
    GTC,
    IOC,
    PLACE,
    REJECT,
)
from mm.sim.world import MESSAGE, SLOTS

TIFS: Final = {TimeInForce.GTC: GTC, TimeInForce.IOC: IOC, TimeInForce.FOK: FOK}
NUMBERS_MAX: Final = 4 * SLOTS
"""Orders are numbered up to here; then those that are open are numbered anew from 1."""
KIND, SLOT, PRICE, SIZE, REASON, AT = map(
    list(MESSAGE.fields or ()).index, ("kind", "slot", "price", "size", "reason", "at")
)
"""Where an answer says what."""


class CompiledTrading:
    """One instrument at the compiled venue; see `Trading`."""

    def __init__(self, settings: PaperSettings, seed: int, clerk: Clerk, free: Free | None) -> None:
        """Open."""
        self.clerk = clerk
        self._free = free
        self._model, self._power = number_of(settings.queue), settings.queue_power
        self._memory = memory = Memory(1, 0, two_clocks=False)
        memory.orders = np.zeros(NUMBERS_MAX, ORDER)
        memory.clock["queue"], memory.clock["open_max"] = self._model, SLOTS
        memory.clock["whole"] = settings.matching == "whole"
        self._ear = Ear(memory)
        by_chance = (settings.arrivals, seed) if settings.matching == "poisson" else None
        self.chances = by_chance and Takers(memory, clerk, by_chance, self._answered)
        self._vacant = list(range(SLOTS))
        self._orders: dict[int, Order] = {}
        self._slots: dict[OrderId, int] = {}
        self._numbers = 0

    @property
    def mid2(self) -> int:
        """Twice the mid in ticks; 0 unless both sides are shown."""
        market = self._memory.markets[0]
        known = market["has_depth"] or market["has_quote"]
        if not (known and market["bid_size"] and market["ask_size"]):
            return 0
        return int(market["bid"] + market["ask"])

    def define(self, instrument: InstrumentDefined) -> None:
        """Learn what is traded here."""
        memory = self._memory
        row, lot = memory.instruments[0], float(instrument.lot_size)
        filters(row, instrument)
        row["inverse"], row["lot_size"] = instrument.kind is ContractKind.INVERSE, lot
        row["tick_size"] = float(instrument.tick_size)
        row["queue_n"] = parameter(self._model, self._power, lot)

    def hear(self, at: Nanos, event: MarketEvent) -> None:
        """A public event happens."""
        answers = self._ear.hear(at, event)
        if answers:
            self._answered(answers)

    def command(self, at: Nanos, intent: Intent) -> None:
        """A command arrives."""
        self._memory.instruments["held"] = self.clerk.net
        match intent:
            case PlaceOrder():
                self._place(at, intent)
            case AmendOrder():
                self._amend(at, intent)
            case CancelOrder():
                self._cancel(at, intent)
            case CancelAll():
                self._gets(at, CANCEL_ALL, 0)

    def _place(self, at: Nanos, intent: PlaceOrder) -> None:
        if self.clerk.instrument is None:
            self.clerk.reject(at, intent, unlisted(intent))
            return
        slot = self._vacant.pop()
        row = self._memory.slots[slot]
        row["id"], row["instrument"], row["sign"] = self._number(), 0, intent.side
        row["price"], row["size"], row["tif"] = intent.price, intent.size, TIFS[intent.tif]
        row["market"] = intent.kind is OrderKind.MARKET
        row["post_only"], row["reduce_only"] = intent.post_only, intent.reduce_only
        row["state"], row["filled"], row["listed"] = ELSEWHERE, 0, 0
        self._orders[slot] = order = Order(intent=intent, price=intent.price, size=intent.size)
        self._slots[intent.order_id] = slot
        self._fund(slot, order, intent.price, intent.size)
        self._gets(at, PLACE, slot)

    def _fund(self, slot: int, order: Order, price: int, size: int, locked: int = 0) -> None:
        """Write down whether an order for so many lots costs more than is free.

        `locked` are lots of it that are open already, at its present price.
        """
        free, instrument = self._free, self.clerk.instrument
        if free is None or instrument is None or instrument.kind is not ContractKind.SPOT:
            return
        if order.intent.kind is OrderKind.MARKET:
            size, value = costs(self._memory.address, slot)
            if order.side is Side.BUY:
                price, size = value, 1
        asset, amount = reservation(instrument, order.side, price, size)
        _, unlocked = reservation(instrument, order.side, order.price, locked)
        left = EXACT.subtract(EXACT.add(free(asset), unlocked), amount)
        self._memory.slots["unfunded"][slot] = left < 0

    def _gets(self, at: Nanos, kind: int, slot: int, amends: AmendOrder | None = None) -> None:
        """Write a command down, have it arrive, and pass on what the venue says."""
        memory = self._memory
        message = memory.commands[0]
        message["kind"], message["slot"], message["instrument"] = kind, slot, 0
        message["id"] = memory.slots["id"][slot]
        if amends is not None:
            message["price"], message["size"] = amends.price, amends.size
        self._answered(gets(memory.address, at), amends)

    def _number(self) -> int:
        """The number of the next order: the later, the greater."""
        if self._numbers == NUMBERS_MAX:
            numbers = self._memory.slots["id"]
            for number, slot in enumerate(sorted(self._orders, key=numbers.__getitem__), 1):
                numbers[slot] = number
            self._numbers = len(self._orders)
        self._numbers += 1
        return self._numbers

    def _cancel(self, at: Nanos, intent: CancelOrder) -> None:
        slot = self._slots.get(intent.order_id)
        if slot is None:
            self.clerk.refuse_cancel(at, intent)
        else:
            self._gets(at, CANCEL, slot)

    def _amend(self, at: Nanos, intent: AmendOrder) -> None:
        slot = self._slots.get(intent.order_id)
        if slot is None:
            self.clerk.refuse_amend(at, intent, RejectReason.UNKNOWN_ORDER)
            return
        order = self._orders[slot]
        self._fund(slot, order, intent.price, intent.size - order.filled, order.leaves)
        self._gets(at, AMEND, slot, intent)

    def _answered(self, count: int, amends: AmendOrder | None = None) -> None:
        """Pass on what the venue said, in its order."""
        clerk = self.clerk
        for said in self._memory.responses[:count].tolist():
            kind, slot, at, reason = said[KIND], said[SLOT], said[AT], said[REASON]
            order = self._orders[slot]
            if kind == FILL:
                liquidity = Liquidity.TAKER if reason else Liquidity.MAKER
                clerk.fill(at, order, said[PRICE], said[SIZE], liquidity)
                if not order.leaves:
                    self._over(slot, order)
                    clerk.close(order, Standing.FILLED)
            elif kind == ACK:
                clerk.accept(at, order)
            elif kind == CANCELED:
                self._over(slot, order)
                clerk.cancel(at, order, CANCELS[reason])
            elif kind == REJECT:
                self._over(slot, order)
                clerk.reject(at, order.intent, REJECTS[reason])
            elif kind == AMENDED:
                clerk.amend(at, order, said[PRICE], said[SIZE])
            else:
                assert amends is not None, "what is refused else was asked for here"
                clerk.refuse_amend(at, amends, REJECTS[reason])

    def _over(self, slot: int, order: Order) -> None:
        del self._orders[slot], self._slots[order.order_id]
        self._vacant.append(slot)


def unlisted(intent: PlaceOrder) -> RejectReason:
    """Why an order is refused whose instrument nobody has defined."""
    rests = intent.kind is OrderKind.LIMIT and intent.tif is TimeInForce.GTC
    if intent.post_only and not rests:
        return RejectReason.NOT_PERMITTED
    return RejectReason.INSTRUMENT_CLOSED


def compiled_venue(settings: PaperSettings, seed: int) -> PaperVenue:
    """A paper account whose orders are matched by compiled code.

    Raises `ConfigError` for more open orders than it has room for.
    """
    if settings.open_orders_max > SLOTS:
        raise ConfigError(
            f"open_orders_max = {settings.open_orders_max} is more than {SLOTS}",
            where="paper.open_orders_max",
            remedy=f"allow {SLOTS} open orders at the most",
        )
    return PaperVenue(settings, seed, partial(CompiledTrading, settings, seed))


def warm() -> None:
    """Compile what the venue does with an event and with a command, or load it from the cache."""
    memory = Memory(1, 0, two_clocks=False)
    Ear(memory).hear(
        Nanos(0), FeedResynced(instrument=InstrumentId(0), received=Nanos(0), sequence=0)
    )
    memory.commands[0]["kind"] = CANCEL_ALL
    gets(memory.address, 0)
    costs(memory.address, 0)
    memory.clock["step"] = 1
    comes(memory.address, 0)
