"""What the venue reports of balances and positions, and the transfers and corrections beside it.

Reports replace what was reported before; a transfer told twice counts once.
"""

from collections import OrderedDict
from decimal import Decimal
from typing import Any, Final

from mm.events.account import Adjusted, BalanceReported, PositionReported, TransferSeen
from mm.events.units import EXACT, InstrumentId, Lots, Nanos
from mm.projections.base import Routes

ZERO: Final = Decimal(0)
TRANSFERS_REMEMBERED_MAX: Final = 1_000


class Balances:
    """The venue's last word on each asset and each position."""

    name: Final = "balances"

    def __init__(self) -> None:
        """Start without any report."""
        self.assets: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        self.positions: dict[tuple[str, InstrumentId], Lots] = {}
        self.transferred: dict[tuple[str, str], Decimal] = {}
        self._told: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self.adjustments = 0

    def total(self, wallet: str, asset: str) -> Decimal:
        """Free and locked together; zero for an asset nobody reported."""
        return EXACT.add(*self.assets.get((wallet, asset), (ZERO, ZERO)))

    def routes(self) -> Routes:
        """Reports, transfers and corrections by type."""
        return {
            BalanceReported: self._balance,
            PositionReported: self._position,
            TransferSeen: self._transfer,
            Adjusted: self._adjusted,
        }

    def _balance(self, event: BalanceReported, _at: Nanos) -> None:
        self.assets[event.wallet, event.asset] = (event.free, event.locked)

    def _position(self, event: PositionReported, _at: Nanos) -> None:
        self.positions[event.wallet, event.instrument] = event.size

    def _transfer(self, event: TransferSeen, _at: Nanos) -> None:
        key = (event.wallet, event.asset)
        if event.transfer_id and self._is_repeated((*key, event.transfer_id)):
            return
        self.transferred[key] = EXACT.add(self.transferred.get(key, ZERO), event.amount)

    def _is_repeated(self, told: tuple[str, str, str]) -> bool:
        if told in self._told:
            return True
        self._told[told] = None
        if len(self._told) > TRANSFERS_REMEMBERED_MAX:
            self._told.popitem(last=False)
        return False

    def _adjusted(self, _event: Adjusted, _at: Nanos) -> None:
        self.adjustments += 1

    def dump(self) -> Any:
        """Every report, in the order the subjects were first heard of."""
        return (
            [(*key, *amounts) for key, amounts in self.assets.items()],
            [(*key, size) for key, size in self.positions.items()],
            [(*key, amount) for key, amount in self.transferred.items()],
            list(self._told),
            self.adjustments,
        )

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        assets, positions, transferred, told, self.adjustments = dumped
        self.assets = {(w, a): (Decimal(free), Decimal(locked)) for w, a, free, locked in assets}
        self.positions = {(w, i): size for w, i, size in positions}
        self.transferred = {(w, a): Decimal(amount) for w, a, amount in transferred}
        self._told = OrderedDict((tuple(key), None) for key in told)
