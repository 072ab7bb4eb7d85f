"""What the venue holds for us: totals by asset, and positions by average cost.

Spot fills move base and quote; fills of a derivative move its settlement currency by the profit
they realise. A close releases its share of the cost, rounded once to 18 decimals, and the rest
stays: realised profit plus cost always equals the cash that flowed, to the last decimal.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

import msgspec

from mm.events.account import BalanceReported, FundingPaid, PositionReported
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import OrderFilled
from mm.events.units import InstrumentId, Lots, Nanos, Side
from mm.sim.fees import EXACT, Tiers, notional, quantity
from mm.sim.settings import Tier

ZERO: Final = Decimal(0)
COST_STEP: Final = Decimal("1e-18")
ENTRY: Final = Context(prec=28)
"""An average entry price is a quotient, told to 28 digits."""


class Holding(msgspec.Struct):
    """A signed position and what it cost, in settlement currency; changes in place."""

    net: int = 0
    cost: Decimal = ZERO


class Account:
    """One wallet at the venue; without opening balances its money is unlimited."""

    def __init__(
        self,
        balances: dict[str, Decimal] | None,
        tiers: Sequence[Tier] = (),
        volume: Decimal = ZERO,
    ) -> None:
        """Open with these totals, and fees by volume of which so much was traded before."""
        self._tiers = Tiers(tiers, volume) if tiers else None
        self.limited = balances is not None
        self._totals: dict[str, Decimal] = dict(balances or {})
        self._holdings: dict[InstrumentId, Holding] = {}
        self._restored: dict[InstrumentId, PositionReported] = {}
        self._moved: set[str] = set()

    def total(self, asset: str) -> Decimal:
        """All we have of an asset, locked or not."""
        return self._totals.get(asset, ZERO)

    def net(self, instrument: InstrumentId) -> Lots:
        """Signed lots held."""
        restored = self._restored.get(instrument)
        return restored.size if restored else Lots(self._holding(instrument).net)

    def reducible(self, instrument: InstrumentId, side: Side) -> Lots:
        """How many lots an order of this side can take off the position."""
        return Lots(max(0, -int(side) * self.net(instrument)))

    def terms(self, instrument: InstrumentDefined) -> InstrumentDefined:
        """An instrument with the fees that the next fill pays."""
        tiers = self._tiers
        return instrument if tiers is None else tiers.terms(instrument, tiers.place(instrument))

    def define(self, instrument: InstrumentDefined) -> None:
        """Learn what an instrument is; a position restored before is now given its cost."""
        restored = self._restored.pop(instrument.instrument, None)
        if restored is not None:
            self._holdings[instrument.instrument] = _holding(restored, instrument)

    def restore(self, reports: Iterable[BalanceReported | PositionReported]) -> None:
        """Take over what an earlier run reported; each report replaces what was there."""
        for report in reports:
            if isinstance(report, BalanceReported):
                self._totals[report.asset] = EXACT.add(report.free, report.locked)
            else:
                self._restored[report.instrument] = report

    def book(self, fill: OrderFilled, instrument: InstrumentDefined) -> None:
        """Book a fill and its fee."""
        value = notional(instrument, fill.price, fill.size)
        if instrument.kind is ContractKind.SPOT:
            self._add(instrument.base, quantity(instrument, fill.side * fill.size))
            self._add(instrument.quote, EXACT.multiply(-fill.side, value))
            self._realise(fill, instrument, value)
        else:
            self._add(instrument.settle, self._realise(fill, instrument, value))
        self._add(fill.fee_asset, fill.fee.copy_negate())
        if self._tiers is not None:
            self._tiers.add(instrument, fill.price, fill.size)

    def fund(self, payment: FundingPaid) -> None:
        """Book a funding payment."""
        self._add(payment.asset, payment.amount)

    def moved(self) -> list[str]:
        """The assets whose totals have changed since this was last asked, by name."""
        moved = sorted(self._moved)
        self._moved.clear()
        return moved

    def _add(self, asset: str, amount: Decimal) -> None:
        self._totals[asset] = EXACT.add(self.total(asset), amount)
        self._moved.add(asset)

    def _holding(self, instrument: InstrumentId) -> Holding:
        return self._holdings.setdefault(instrument, Holding())

    def _realise(self, fill: OrderFilled, instrument: InstrumentDefined, value: Decimal) -> Decimal:
        """Move the position; returns the profit realised."""
        holding = self._holding(instrument.instrument)
        held, signed = holding.net, fill.side * fill.size
        holding.net += signed
        if held == 0 or (held > 0) == (signed > 0):
            holding.cost = EXACT.add(holding.cost, _cost(value))
            return ZERO
        closing = min(fill.size, abs(held))
        closed = _cost(notional(instrument, fill.price, closing))
        released = _cost(EXACT.divide(EXACT.multiply(holding.cost, closing), abs(held)))
        opened = EXACT.subtract(_cost(value), closed)
        holding.cost = (
            opened if holding.net * signed > 0 else EXACT.subtract(holding.cost, released)
        )
        profit = EXACT.subtract(closed, released)
        gains = (held > 0) != (instrument.kind is ContractKind.INVERSE)
        return profit if gains else profit.copy_negate()

    def balances(
        self, wallet: str, locked: dict[str, Decimal], at: Nanos, assets: Sequence[str] = ()
    ) -> list[BalanceReported]:
        """Totals, of every asset if none is named, split in what orders lock and what is free."""
        return [
            BalanceReported(
                wallet=wallet,
                asset=asset,
                free=EXACT.subtract(self.total(asset), locked.get(asset, ZERO)),
                locked=locked.get(asset, ZERO),
                received=at,
                venue_time=at,
            )
            for asset in assets or sorted({*self._totals, *locked})
        ]

    def position(self, wallet: str, instrument: InstrumentDefined, at: Nanos) -> PositionReported:
        """The position in one instrument, with its average entry price."""
        holding = self._holding(instrument.instrument)
        return PositionReported(
            wallet=wallet,
            instrument=instrument.instrument,
            size=Lots(holding.net),
            entry=entry(holding, instrument),
            received=at,
            venue_time=at,
        )


def _cost(value: Decimal) -> Decimal:
    return value.quantize(COST_STEP, rounding=ROUND_HALF_EVEN, context=EXACT)


def entry(holding: Holding, instrument: InstrumentDefined) -> Decimal:
    """Average entry price (harmonic for inverse contracts); 0 when flat."""
    if not holding.net:
        return ZERO
    amount = quantity(instrument, abs(holding.net))
    if instrument.kind is ContractKind.INVERSE:
        return ENTRY.divide(amount, holding.cost)
    return ENTRY.divide(holding.cost, amount)


def _holding(report: PositionReported, instrument: InstrumentDefined) -> Holding:
    if not report.size or not report.entry:
        return Holding(report.size)
    amount = quantity(instrument, abs(report.size))
    inverse = instrument.kind is ContractKind.INVERSE
    cost = EXACT.divide(amount, report.entry) if inverse else EXACT.multiply(amount, report.entry)
    return Holding(report.size, _cost(cost))
