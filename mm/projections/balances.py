"""What the venue reports of balances and positions, and the transfers and corrections beside it."""

from decimal import Decimal
from typing import Any, Final

from mm.events.account import Adjusted, BalanceReported, PositionReported, TransferSeen
from mm.events.turn import Record
from mm.events.units import InstrumentId, Lots
from mm.projections.base import Routes

ZERO: Final = Decimal(0)


class Balances:
    """The venue's last word on each asset and each position."""

    name: Final = "balances"

    def __init__(self) -> None:
        """Start without any report."""
        self.assets: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        self.positions: dict[tuple[str, InstrumentId], Lots] = {}
        self.transferred: dict[tuple[str, str], Decimal] = {}
        self.adjustments = 0

    def total(self, wallet: str, asset: str) -> Decimal:
        """Free and locked together; zero for an asset nobody reported."""
        free, locked = self.assets.get((wallet, asset), (ZERO, ZERO))
        return free + locked

    def routes(self) -> Routes:
        """Reports, transfers and corrections by type."""
        return {
            BalanceReported: self._balance,
            PositionReported: self._position,
            TransferSeen: self._transfer,
            Adjusted: self._adjusted,
        }

    def _balance(self, event: BalanceReported, _record: Record) -> None:
        self.assets[event.wallet, event.asset] = (event.free, event.locked)

    def _position(self, event: PositionReported, _record: Record) -> None:
        self.positions[event.wallet, event.instrument] = event.size

    def _transfer(self, event: TransferSeen, _record: Record) -> None:
        key = (event.wallet, event.asset)
        self.transferred[key] = self.transferred.get(key, ZERO) + event.amount

    def _adjusted(self, _event: Adjusted, _record: Record) -> None:
        self.adjustments += 1

    def dump(self) -> Any:
        """Every report, in the order the subjects were first heard of."""
        return (
            [(*key, *amounts) for key, amounts in self.assets.items()],
            [(*key, size) for key, size in self.positions.items()],
            [(*key, amount) for key, amount in self.transferred.items()],
            self.adjustments,
        )

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        assets, positions, transferred, self.adjustments = dumped
        self.assets = {(w, a): (Decimal(free), Decimal(locked)) for w, a, free, locked in assets}
        self.positions = {(w, i): size for w, i, size in positions}
        self.transferred = {(w, a): Decimal(amount) for w, a, amount in transferred}
