"""The risk gate: every intent passes it, in order, against the worst case of this instant.

Worst case counts the position and all that may still be filled: open, in flight, being canceled,
uncertain. A refusal names the rule, its limit and the value. Cancels are never refused. The gate
also sees the intents approved earlier in the same turn, since an order exists once intended.
"""

from collections import deque
from decimal import Decimal
from typing import Final

import msgspec

from mm.engine.limits import Limits
from mm.events.instrument import InstrumentDefined
from mm.events.orders import PlaceOrder, Rule
from mm.events.units import EXACT, SECONDS, Lots, Nanos
from mm.projections.orders import Order
from mm.projections.state import State

BPS: Final = 10_000
_DIGITS: Final = Decimal("1e-8")


class Refusal(msgspec.Struct, frozen=True):
    """Why an order may not leave."""

    rule: Rule
    limit: str
    value: str


class Risk:
    """Limits of one instrument and the messages sent in the last second."""

    def __init__(self, limits: Limits) -> None:
        """Start with no messages sent."""
        self.limits = limits
        self._sent: deque[Nanos] = deque()

    def sent(self, at: Nanos) -> None:
        """Count a message that leaves; cancels count too, though they are never refused."""
        self._forget(at)
        self._sent.append(at)

    def check(
        self, intent: PlaceOrder, state: State, at: Nanos, replaces: Order | None = None
    ) -> Refusal | None:
        """The first rule that speaks against the order, or None when it may leave.

        An amend is checked as the order it would become, in place of the one it `replaces`.
        """
        freed = replaces.leaves if replaces is not None else Lots(0)
        instrument = state.ledger.instruments[intent.instrument]
        return (
            _halted(state)
            or _book(intent, state)
            or _grid(intent, instrument)
            or self._size(intent, instrument)
            or self._collar(intent, state)
            or self._position(intent, state, freed)
            or self._open_orders(intent, state, replaced=replaces is not None)
            or self._rate(at)
            or _own_cross(intent, state)
        )

    def _size(self, intent: PlaceOrder, instrument: InstrumentDefined) -> Refusal | None:
        limits = self.limits
        if intent.size > limits.order_size_max:
            return Refusal(Rule.ORDER_SIZE, str(limits.order_size_max), str(intent.size))
        notional = instrument.notional(intent.price, intent.size)
        if notional > limits.order_notional_max:
            return Refusal(Rule.ORDER_NOTIONAL, str(limits.order_notional_max), _told(notional))
        return None

    def _collar(self, intent: PlaceOrder, state: State) -> Refusal | None:
        """Distance from the mid, in whole comparisons of integers: no division, no rounding."""
        book = state.books.of(intent.instrument)
        twice_mid = book.bid + book.ask
        distance = abs(2 * intent.price - twice_mid)
        if distance * BPS > self.limits.price_collar_bps * twice_mid:
            limit = f"{self.limits.price_collar_bps} bps"
            return Refusal(Rule.PRICE_COLLAR, limit, f"{distance * BPS / twice_mid:.1f} bps")
        return None

    def _position(self, intent: PlaceOrder, state: State, freed: Lots) -> Refusal | None:
        """Worst case: all that may still be filled on this side is; to reduce is never too much."""
        held = intent.side * state.ledger.net(intent.instrument)
        ahead = state.orders.leaves(intent.instrument, intent.side) - freed + intent.size
        if held + ahead > self.limits.position_max:
            return Refusal(Rule.POSITION, str(self.limits.position_max), str(held + ahead))
        return None

    def _open_orders(self, intent: PlaceOrder, state: State, *, replaced: bool) -> Refusal | None:
        count = sum(order.instrument == intent.instrument for order in state.orders.live)
        count -= replaced
        if count >= self.limits.open_orders_max:
            return Refusal(Rule.OPEN_ORDERS, str(self.limits.open_orders_max), str(count + 1))
        return None

    def _rate(self, at: Nanos) -> Refusal | None:
        self._forget(at)
        limit = self.limits.messages_per_second_max
        if len(self._sent) >= limit:
            return Refusal(Rule.MESSAGE_RATE, str(limit), str(len(self._sent) + 1))
        return None

    def _forget(self, at: Nanos) -> None:
        while self._sent and self._sent[0] <= at - SECONDS:
            self._sent.popleft()

    def dump(self) -> list[int]:
        """When the messages of the last second left."""
        return list(self._sent)


def _halted(state: State) -> Refusal | None:
    if state.health.halted:
        return Refusal(Rule.HALTED, "armed", state.health.halted)
    return None


def _book(intent: PlaceOrder, state: State) -> Refusal | None:
    book = state.books.of(intent.instrument)
    if book.usable and book.two_sided and not book.crossed:
        return None
    return Refusal(Rule.BOOK_UNUSABLE, "usable, two-sided, not crossed", "no reference price")


def _grid(intent: PlaceOrder, instrument: InstrumentDefined) -> Refusal | None:
    if intent.price < instrument.price_min or 0 < instrument.price_max < intent.price:
        limit = f"{instrument.price_min}..{instrument.price_max or 'any'} ticks"
        return Refusal(Rule.OFF_GRID, limit, str(intent.price))
    if intent.size < instrument.size_min or 0 < instrument.size_max < intent.size:
        limit = f"{instrument.size_min}..{instrument.size_max or 'any'} lots"
        return Refusal(Rule.OFF_GRID, limit, str(intent.size))
    if intent.size % instrument.size_step:
        limit = f"a multiple of {instrument.size_step} lots"
        return Refusal(Rule.OFF_GRID, limit, str(intent.size))
    notional = instrument.notional(intent.price, intent.size)
    if notional < instrument.notional_min:
        return Refusal(Rule.OFF_GRID, f"notional {instrument.notional_min}", _told(notional))
    return None


def _own_cross(intent: PlaceOrder, state: State) -> Refusal | None:
    """An order that would meet a live one of ours, whatever its state: no self-trade, ever."""
    for order in state.orders.live_of(intent.instrument):
        for price in order.prices if order.side is not intent.side else ():
            if (intent.price - price) * intent.side >= 0:
                return Refusal(Rule.OWN_CROSS, f"{order.side.name} {price}", str(intent.price))
    return None


def _told(amount: Decimal) -> str:
    """An amount to 1e-8, as every machine and every decimal context writes it."""
    return f"{EXACT.quantize(amount, _DIGITS).normalize(EXACT):f}"
