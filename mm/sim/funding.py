"""When funding is exchanged, and how much of it is ours.

The rate and mark that count are the last ones published before `due`; the first public event
stamped at or after `due` settles it, once. A rate republished for a time that has passed changes
nothing, and one published with a later `due` before the time has come moves it.
"""

from decimal import Decimal
from typing import Final

import msgspec

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import FundingPublished
from mm.events.units import INT64_MAX, Nanos
from mm.sim.fees import EXACT, quantity, rounded_down

UNKNOWN: Final = Nanos(INT64_MAX)


class Settlement(msgspec.Struct, frozen=True):
    """One exchange of funding: when it was due, and at which rate."""

    due: Nanos
    rate: Decimal


class Funding:
    """The next settlement of one instrument; `due` is far away while none is known."""

    def __init__(self) -> None:
        """Start without a rate."""
        self.due = UNKNOWN
        self._rate = Decimal(0)
        self._settled = Nanos(-INT64_MAX)

    def publish(self, event: FundingPublished, now: Nanos) -> None:
        """Hear a rate at venue time `now`."""
        if event.due > now and event.due > self._settled:
            self.due, self._rate = event.due, event.rate

    def settle(self) -> Settlement:
        """The settlement that has come due; there is no other until a rate is published."""
        settlement = Settlement(self.due, self._rate)
        self._settled, self.due = self.due, UNKNOWN
        return settlement


def payment(instrument: InstrumentDefined, size: int, mark: Decimal, rate: Decimal) -> Decimal:
    """What a signed position receives (negative: pays), in its settlement currency.

    Longs pay when the rate is positive: position value at mark times rate.
    """
    amount = quantity(instrument, size)
    if instrument.kind is ContractKind.INVERSE:
        value = EXACT.divide(amount, mark)
    else:
        value = EXACT.multiply(amount, mark)
    return rounded_down(EXACT.multiply(value.copy_negate(), rate))
