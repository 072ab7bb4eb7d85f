"""Orders, fills, positions and balances as StandX writes them: decimals as texts, times as ISO."""

from decimal import Decimal
from typing import Any, Final

from mm.emulator.account import Account
from mm.emulator.binance.digits import Digits
from mm.emulator.binance.usdm_margin import LEVERAGE, Holding, Margin
from mm.emulator.kraken.wording import moment
from mm.emulator.orders import Fill, Record, Status
from mm.events.units import EXACT, Nanos

ZERO: Final = Decimal(0)
USER: Final = "bsc_0xemulator"
STATUSES: Final = {
    Status.NEW: "open",
    Status.PARTIALLY_FILLED: "partially_filled",
    Status.FILLED: "filled",
    Status.CANCELED: "canceled",
    Status.EXPIRED: "canceled",
    Status.REJECTED: "rejected",
}
PLACES: Final = Decimal("1e-9")
Payload = dict[str, Any]


def text(value: Decimal) -> str:
    """An amount of money."""
    return f"{value.quantize(PLACES, context=EXACT):f}"


def listed(rows: list[Payload], total: int | None = None) -> Payload:
    """A list as every query answers it."""
    return {
        "page_size": len(rows),
        "result": rows,
        "total": len(rows) if total is None else total,
    }


def order(record: Record) -> Payload:
    """An order."""
    ticket, instrument = record.ticket, record.instrument
    digits = Digits(instrument, None)
    worth = EXACT.multiply(instrument.size(record.filled), instrument.multiplier)
    mean = EXACT.divide(record.value, worth) if record.filled else ZERO
    return {
        "avail_locked": "0",
        "cl_ord_id": ticket.client_id,
        "closed_block": -1,
        "created_at": moment(record.placed),
        "created_block": -1,
        "fill_avg_price": text(mean),
        "fill_qty": digits.size(record.filled),
        "id": record.number,
        "leverage": str(LEVERAGE),
        "liq_id": 0,
        "margin": "0",
        "order_type": ticket.kind.value,
        "payload": None,
        "position_id": int(instrument.instrument),
        "price": digits.price(record.price),
        "qty": digits.size(record.size),
        "reduce_only": ticket.reduce_only,
        "remark": "",
        "side": ticket.side.name.lower(),
        "source": "user",
        "status": STATUSES[record.status],
        "symbol": instrument.symbol,
        "time_in_force": "alo" if ticket.post_only else ticket.tif.value,
        "updated_at": moment(record.updated),
        "user": USER,
    }


def trade(fill: Fill) -> Payload:
    """A fill; that it made or took is not said."""
    digits, instrument = Digits(fill.instrument, None), fill.instrument
    return {
        "created_at": moment(fill.at),
        "fee_asset": fill.fee_asset,
        "fee_qty": text(fill.fee),
        "id": fill.number,
        "order_id": fill.order,
        "pnl": text(fill.profit),
        "price": digits.price(fill.price),
        "qty": digits.size(fill.size),
        "side": fill.side.name.lower(),
        "symbol": instrument.symbol,
        "updated_at": moment(fill.at),
        "user": USER,
        "value": text(instrument.notional(fill.price, fill.size)),
    }


def position(holding: Holding, at: Nanos) -> Payload:
    """A position; a short one has a negative quantity."""
    instrument, held = holding.listing.instrument, holding.position
    return {
        "bankruptcy_price": "0",
        "created_at": moment(at),
        "entry_price": text(held.entry),
        "entry_value": text(EXACT.multiply(holding.amount, held.entry)),
        "holding_margin": text(holding.margin),
        "id": int(instrument.instrument),
        "initial_margin": text(holding.margin),
        "leverage": str(LEVERAGE),
        "liq_price": "0",
        "maint_margin": "0",
        "margin_asset": instrument.settle,
        "margin_mode": "cross",
        "mark_price": text(holding.listing.price),
        "mmr": "0",
        "position_value": text(abs(holding.notional)),
        "qty": Digits(instrument, None).size(held.size),
        "realized_pnl": "0",
        "status": "open" if held.size else "closed",
        "symbol": instrument.symbol,
        "time": moment(at),
        "updated_at": moment(at),
        "upnl": text(holding.profit),
        "user": USER,
    }


class Money(dict[str, Decimal]):
    """What an account has of its margin asset, in the venue's words for it."""

    def __init__(self, account: Account, margin: Margin) -> None:
        """As it stands now."""
        holdings = margin.holdings(account)
        total = sum((each.free + each.locked for each in account.balances()), ZERO)
        used = sum((each.margin for each in holdings), ZERO)
        locked = sum((each.ordered for each in holdings), ZERO)
        profit = sum((each.profit for each in holdings), ZERO)
        super().__init__(
            isolated_balance=ZERO,
            isolated_upnl=ZERO,
            cross_balance=total,
            cross_margin=used,
            cross_upnl=profit,
            locked=locked,
            cross_available=total - used - locked + profit,
            balance=total,
            upnl=profit,
            equity=total + profit,
            pnl_freeze=ZERO,
        )

    def told(self) -> Payload:
        """Over REST."""
        return {name: text(value) for name, value in self.items()}

    def news(self, asset: str, at: Nanos) -> Payload:
        """On the stream."""
        free = self["balance"] - self["cross_margin"] - self["locked"]
        return {
            "account_type": "perps",
            "created_at": moment(at),
            "free": text(free),
            "id": USER,
            "inbound": "0",
            "is_enabled": True,
            "kind": "user",
            "last_tx": "",
            "last_tx_updated_at": 0,
            "locked": text(self["locked"]),
            "occupied": text(self["cross_margin"]),
            "outbound": "0",
            "ref_id": 0,
            "token": asset,
            "total": text(self["balance"]),
            "updated_at": moment(at),
            "version": 0,
            "wallet_id": USER,
        }
