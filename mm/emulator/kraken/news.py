"""What an account hears on its private socket: every change of its orders, fills, balances."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from mm.emulator.account import Account
from mm.emulator.kraken import names
from mm.emulator.kraken.described import average, txid
from mm.emulator.kraken.refusals import ENDED
from mm.emulator.kraken.wording import PairWords, bare, encode, moment, number
from mm.emulator.orders import Fill, Happened, Record, Status, Update
from mm.emulator.sockets import Socket
from mm.events.account import FundingPaid
from mm.events.orders import Liquidity
from mm.events.units import EXACT, Nanos

STATUSES: Final = {
    Status.NEW: "new",
    Status.PARTIALLY_FILLED: "partially_filled",
    Status.FILLED: "filled",
    Status.CANCELED: "canceled",
    Status.EXPIRED: "expired",
    Status.REJECTED: "rejected",
}
KINDS: Final = {
    Happened.CANCELED: "canceled",
    Happened.EXPIRED: "canceled",
    Happened.AMENDED: "amended",
}
SNAPSHOT_FILLS: Final = 50
Payload = dict[str, Any]


def named(record: Record, at: Nanos) -> Payload:
    """What every report has."""
    payload: Payload = {
        "order_id": txid(record),
        "order_userref": record.ticket.extras["userref"],
        "order_status": STATUSES[record.status],
        "timestamp": moment(at),
    }
    if record.ticket.client_id:
        payload["cl_ord_id"] = record.ticket.client_id
    return payload


def totals(record: Record) -> Payload:
    """What was filled of it in all."""
    words = PairWords(record.instrument)
    return {
        "cum_qty": bare(words.size(record.filled)),
        "cum_cost": number(record.value),
        "avg_price": number(average(record, record.instrument), words.price_places),
        "fee_usd_equiv": 0,
    }


def described(record: Record, at: Nanos, kind: str) -> Payload:
    """An order with all that it was asked for."""
    words, ticket = PairWords(record.instrument), record.ticket
    return {
        **named(record, at),
        "exec_type": kind,
        "symbol": names.symbol(record.instrument),
        "side": ticket.side.name.lower(),
        "order_type": ticket.extras["kind"],
        "order_qty": bare(words.size(record.size)),
        "limit_price": bare(words.price(record.price)),
        "limit_price_type": "static",
        "stop_price": 0,
        "time_in_force": ticket.tif.upper(),
        "post_only": ticket.post_only,
        "reduce_only": ticket.reduce_only,
        "fee_ccy_pref": "fciq",
        **totals(record),
    }


def matched(record: Record, fill: Fill) -> Payload:
    """A fill."""
    words, instrument = PairWords(record.instrument), record.instrument
    return {
        **named(record, fill.at),
        "exec_type": "trade",
        "exec_id": names.named("T", fill.number),
        "trade_id": fill.number,
        "symbol": names.symbol(instrument),
        "side": fill.side.name.lower(),
        "order_type": record.ticket.extras["kind"],
        "order_qty": bare(words.size(record.size)),
        "limit_price": bare(words.price(record.price)),
        "last_qty": bare(words.size(fill.size)),
        "last_price": bare(words.price(fill.price)),
        "cost": number(instrument.notional(fill.price, fill.size)),
        "liquidity_ind": "m" if fill.liquidity is Liquidity.MAKER else "t",
        "fees": [{"asset": fill.fee_asset, "qty": number(fill.fee)}],
        **totals(record),
    }


def reports(update: Update) -> list[Payload]:
    """The reports that one change makes, in order; a refused order makes none."""
    record = update.order
    match update.happened:
        case Happened.PLACED:
            pending = described(record, update.at, "pending_new")
            new = {**named(record, update.at), "exec_type": "new"}
            return [pending | {"order_status": "pending_new"}, new]
        case Happened.FILLED if update.fill is not None:
            found = [matched(record, update.fill)]
            if record.status is Status.FILLED:
                found.append({**named(record, update.at), "exec_type": "filled", **totals(record)})
            return found
        case Happened.AMENDED:
            return [described(record, update.at, "amended")]
        case Happened.CANCELED | Happened.EXPIRED:
            why = ENDED.get(record.reason, "")
            ended = {"exec_type": "canceled", "order_status": "canceled", "reason": why}
            return [{**named(record, update.at), **totals(record), **ended}]
        case _:
            return []


class Subscription:
    """One client's private channels; each counts its frames."""

    def __init__(self, socket: Socket, account: Account, number: Callable[[], int]) -> None:
        """Hear of the account until the socket ends; `number` gives ids to entries of ledgers."""
        self._socket = socket
        self.account = account
        self._number = number
        self._sequences: dict[str, int] = {}
        self._held = self._balances()
        account.listeners.append(self._hear)
        socket.ended.append(self._end)

    def _end(self, _socket: Socket) -> None:
        self.account.listeners.remove(self._hear)

    def has(self, channel: str) -> bool:
        """Whether it is told."""
        return channel in self._sequences

    def drop(self, channel: str) -> bool:
        """Tell no more; False where it was not told."""
        return self._sequences.pop(channel, None) is not None

    def executions(self, *, orders: bool, trades: bool) -> None:
        """Tell of orders and fills; what stands comes first."""
        self._sequences["executions"] = 0
        rows: list[Payload] = []
        if orders:
            rows = [described(each, each.updated, "new") for each in self.account.open()]
        if trades:
            for fill in self.account.fills[-SNAPSHOT_FILLS:]:
                record = self.account.order(fill.order)
                if record is not None:
                    rows.append(matched(record, fill))
        self._tell("executions", "snapshot", rows)

    def balances(self) -> None:
        """Tell of balances; what stands comes first."""
        self._sequences["balances"] = 0
        self._held = self._balances()
        rows = [
            {
                "asset": asset,
                "asset_class": "currency",
                "balance": number(total),
                "wallets": [{"type": "spot", "id": "main", "balance": number(total)}],
            }
            for asset, total in self._held.items()
        ]
        self._tell("balances", "snapshot", rows)

    def _balances(self) -> dict[str, Decimal]:
        return {each.asset: EXACT.add(each.free, each.locked) for each in self.account.balances()}

    def _tell(self, channel: str, kind: str, rows: list[Payload]) -> None:
        self._sequences[channel] += 1
        sequence = self._sequences[channel]
        frame = {"channel": channel, "type": kind, "data": rows, "sequence": sequence}
        self._socket.send(channel, encode(frame))

    def _hear(self, news: Update | FundingPaid) -> None:
        if isinstance(news, FundingPaid):
            return
        if self.has("executions"):
            for report in reports(news):
                self._tell("executions", "update", [report])
        if news.fill is not None and self.has("balances"):
            self._tell_changes(news.fill)

    def _tell_changes(self, fill: Fill) -> None:
        """The balances that a fill moved, as entries of the ledger."""
        held, before = self._balances(), self._held
        self._held = held
        rows = [
            {
                "asset": asset,
                "asset_class": "currency",
                "amount": number(EXACT.subtract(total, before.get(asset, Decimal(0)))),
                "balance": number(total),
                "fee": number(fill.fee if asset == fill.fee_asset else Decimal(0)),
                "ledger_id": names.named("L", self._number()),
                "ref_id": names.named("T", fill.number),
                "timestamp": moment(fill.at),
                "type": "trade",
                "subtype": "",
                "category": "trade",
                "wallet_type": "spot",
                "wallet_id": "main",
            }
            for asset, total in held.items()
            if total != before.get(asset)
        ]
        if rows:
            self._tell("balances", "update", rows)
