"""What the venue says of our account, and every correction with its evidence."""

from decimal import Decimal

from mm.events.base import Body
from mm.events.units import InstrumentId, Lots, Nanos


class BalanceReported(Body, frozen=True, kw_only=True, gc=False, tag="balance"):
    """The venue's figure for one asset of one wallet."""

    wallet: str
    asset: str
    free: Decimal
    locked: Decimal
    received: Nanos
    venue_time: Nanos


class PositionReported(Body, frozen=True, kw_only=True, gc=False, tag="position"):
    """The venue's figure for a position: signed lots and average entry price."""

    wallet: str
    instrument: InstrumentId
    size: Lots
    entry: Decimal
    received: Nanos
    venue_time: Nanos


class FundingPaid(Body, frozen=True, kw_only=True, gc=False, tag="funding.paid"):
    """Funding settled: `amount` of `asset`, positive when we received it."""

    wallet: str
    instrument: InstrumentId
    asset: str
    amount: Decimal
    rate: Decimal
    mark: Decimal
    size: Lots
    due: Nanos
    received: Nanos
    venue_time: Nanos
    payment_id: str = ""


class TransferSeen(Body, frozen=True, kw_only=True, gc=False, tag="transfer"):
    """Money came into a wallet (positive) or left it."""

    wallet: str
    asset: str
    amount: Decimal
    received: Nanos
    venue_time: Nanos
    transfer_id: str = ""


class Adjusted(Body, frozen=True, kw_only=True, gc=False, tag="adjusted"):
    """A person or a reconciliation corrected a figure; nothing is corrected silently.

    `subject` names what (`position` or `balance`), before and after are decimals.
    """

    wallet: str
    instrument: InstrumentId
    subject: str
    asset: str
    before: Decimal
    after: Decimal
    evidence: str
    who: str
    received: Nanos


class AccountReconciled(Body, frozen=True, kw_only=True, gc=False, tag="reconciled"):
    """Our orders and positions were compared with the venue's; nothing is quoted before.

    `differences` counts the corrections, each of which stands on the log as its own fact.
    """

    wallet: str
    orders: int
    differences: int
    received: Nanos


class AccountDown(Body, frozen=True, kw_only=True, gc=False, tag="account.down"):
    """What happens to our orders is not heard any more: nothing is quoted until `reconciled`."""

    wallet: str
    reason: str
    received: Nanos
