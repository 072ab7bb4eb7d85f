"""What a futures account hears on its stream: orders, fills, balances, positions and funding."""

from decimal import Decimal
from typing import Final

from mm.emulator.account import Account
from mm.emulator.binance.digits import Digits, text
from mm.emulator.binance.public import millis
from mm.emulator.binance.spot_orders import STATUSES
from mm.emulator.binance.streams import Payload
from mm.emulator.binance.usdm_margin import Margin
from mm.emulator.binance.usdm_orders import average
from mm.emulator.orders import Fill, Happened, Update
from mm.events.account import FundingPaid
from mm.events.orders import Liquidity

EXECUTIONS: Final = {
    Happened.PLACED: "NEW",
    Happened.FILLED: "TRADE",
    Happened.AMENDED: "AMENDMENT",
    Happened.CANCELED: "CANCELED",
    Happened.EXPIRED: "EXPIRED",
}


class UsdmNews:
    """Words an account's news."""

    def __init__(self, margin: Margin) -> None:
        """Value positions by this."""
        self._margin = margin

    def __call__(self, account: Account, news: Update | FundingPaid) -> list[Payload]:
        """The events of one change: money first, as the venue does."""
        if isinstance(news, FundingPaid):
            return [self._account(account, "FUNDING_FEE", news)]
        kind = EXECUTIONS.get(news.happened)
        if kind is None:
            return []
        if news.fill is None:
            return [order(news, kind)]
        return [lite(news, news.fill), self._account(account, "ORDER", news), order(news, kind)]

    def _account(self, account: Account, why: str, news: Update | FundingPaid) -> Payload:
        """`ACCOUNT_UPDATE`: funding of a crossed position tells the balance alone."""
        if isinstance(news, FundingPaid):
            assets, instrument, at = {news.asset}, None, millis(news.venue_time)
            change = news.amount
        else:
            traded = news.order.instrument
            assets, instrument, at = {traded.settle}, traded.instrument, millis(news.at)
            change = Decimal(0)
            if news.fill is not None:
                assets.add(news.fill.fee_asset)
        balances = [
            {
                "a": b.asset,
                "wb": text(b.free + b.locked),
                "cw": text(b.free + b.locked),
                "bc": text(change) if change else "0",
            }
            for b in account.balances()
            if b.asset in assets
        ]
        positions = [
            {
                "s": h.listing.instrument.symbol,
                "pa": Digits(h.listing.instrument, None).size(h.position.size),
                "ep": text(h.position.entry),
                "bep": text(h.position.entry),
                "cr": text(sum((f.profit for f in account.trades(instrument)), Decimal(0))),
                "up": text(h.profit),
                "mt": "cross",
                "iw": "0",
                "ps": "BOTH",
            }
            for h in self._margin.holdings(account)
            if instrument is not None and h.position.instrument == instrument
        ]
        return {
            "e": "ACCOUNT_UPDATE",
            "E": at,
            "T": at,
            "a": {"m": why, "B": balances, "P": positions},
        }


def order(update: Update, kind: str) -> Payload:
    """`ORDER_TRADE_UPDATE`."""
    record, fill = update.order, update.fill
    digits, ticket = Digits(record.instrument, None), record.ticket
    at = millis(update.at)
    body: Payload = {
        "s": record.instrument.symbol,
        "c": ticket.client_id,
        "S": ticket.side.name,
        "o": ticket.extras["type"],
        "f": ticket.extras["tif"],
        "q": digits.size(record.size),
        "p": digits.price(record.price),
        "ap": text(average(record), 5),
        "sp": "0",
        "x": kind,
        "X": STATUSES[record.status],
        "i": record.number,
        "l": "0" if fill is None else digits.size(fill.size),
        "z": digits.size(record.filled),
        "L": "0" if fill is None else digits.price(fill.price),
        "T": at,
        "t": 0 if fill is None else fill.number,
        "b": "0",
        "a": "0",
        "m": fill is not None and fill.liquidity is Liquidity.MAKER,
        "R": ticket.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": ticket.extras["type"],
        "ps": "BOTH",
        "cp": False,
        "rp": "0" if fill is None else text(fill.profit),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": ticket.extras["stp"],
        "pm": "NONE",
        "gtd": 0,
    }
    if fill is not None:
        body |= {"n": text(fill.fee), "N": fill.fee_asset}
    return {"e": "ORDER_TRADE_UPDATE", "E": at, "T": at, "o": body}


def lite(update: Update, fill: Fill) -> Payload:
    """`TRADE_LITE`: a fill in few words, first."""
    record = update.order
    digits, at = Digits(record.instrument, None), millis(update.at)
    return {
        "e": "TRADE_LITE",
        "E": at,
        "T": at,
        "s": record.instrument.symbol,
        "q": digits.size(record.size),
        "p": digits.price(record.price),
        "m": fill.liquidity is Liquidity.MAKER,
        "c": record.ticket.client_id,
        "S": record.ticket.side.name,
        "L": digits.price(fill.price),
        "l": digits.size(fill.size),
        "t": fill.number,
        "i": record.number,
    }
