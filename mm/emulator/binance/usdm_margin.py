"""Margin of a futures account: what positions and open orders tie up, and what is left.

Cross margin in one asset, one position a symbol, leverage by symbol. Nobody is liquidated here.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from mm.emulator.account import Account
from mm.emulator.binance.calls import Call
from mm.emulator.binance.digits import Digits, text
from mm.emulator.binance.public import listing_of, millis
from mm.emulator.binance.refusals import Refused
from mm.emulator.binance.streams import Payload
from mm.emulator.exchange import Exchange, Listing
from mm.emulator.orders import Ticket
from mm.events.account import PositionReported
from mm.events.orders import OrderKind
from mm.events.units import EXACT

LEVERAGE: Final = 20
LEVERAGE_MAX: Final = 125
MAINTENANCE: Final = Decimal("0.004")
"""Share of a position's value below which a venue would liquidate it: the lowest tier's."""
ZERO: Final = Decimal(0)


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A position valued at the mark, in settlement currency; `ordered` is tied up by orders."""

    listing: Listing
    position: PositionReported
    amount: Decimal
    notional: Decimal
    profit: Decimal
    margin: Decimal
    ordered: Decimal


class Margin:
    """Leverage by account and symbol; changes in place."""

    def __init__(self, exchange: Exchange) -> None:
        """Everybody starts with the same leverage."""
        self._exchange = exchange
        self._leverage: dict[tuple[str, str], int] = {}

    def leverage(self, account: Account, symbol: str) -> int:
        """What is set."""
        return self._leverage.get((account.keys.key, symbol), LEVERAGE)

    def set_leverage(self, call: Call) -> Payload:
        """Set it."""
        symbol, leverage = listing_of(call).instrument.symbol, call.whole("leverage")
        if not 1 <= leverage <= LEVERAGE_MAX:
            raise Refused(-4028, f"Leverage {leverage} is not valid")
        self._leverage[call.account.keys.key, symbol] = leverage
        return {"leverage": leverage, "maxNotionalValue": "1000000000", "symbol": symbol}

    def holdings(self, account: Account) -> list[Holding]:
        """Every position, flat ones too."""
        return [self._holding(account, position) for position in account.positions()]

    def _holding(self, account: Account, position: PositionReported) -> Holding:
        listing = self._exchange.listing(position.instrument)
        instrument, price = listing.instrument, listing.price
        amount = EXACT.multiply(instrument.size(position.size), instrument.multiplier)
        notional = EXACT.multiply(amount, price)
        profit = EXACT.multiply(amount, price - position.entry) if position.size else ZERO
        leverage = self.leverage(account, instrument.symbol)
        orders = [r for r in account.open(instrument.instrument) if not r.ticket.reduce_only]
        ordered = sum((instrument.notional(r.price, r.leaves) for r in orders), ZERO)
        return Holding(
            listing=listing,
            position=position,
            amount=amount,
            notional=notional,
            profit=profit,
            margin=EXACT.divide(abs(notional), leverage),
            ordered=EXACT.divide(ordered, leverage),
        )

    def check(self, account: Account, listing: Listing, ticket: Ticket) -> None:
        """Refuse an order that there is no margin for; what reduces a position needs none."""
        if not account.limited:
            return
        holdings = self.holdings(account)
        instrument = listing.instrument
        held = next(
            (h.position.size for h in holdings if h.listing is listing),
            0,
        )
        adds = max(0, ticket.size - max(0, -int(ticket.side) * held))
        if ticket.reduce_only or not adds:
            return
        price = instrument.price(ticket.price)
        if ticket.kind is OrderKind.MARKET:
            price = listing.price
        worth = EXACT.multiply(EXACT.multiply(instrument.size(adds), instrument.multiplier), price)
        needed = EXACT.divide(worth, self.leverage(account, instrument.symbol))
        if needed > self.available(account, instrument.settle, holdings):
            raise Refused(-2019, "Margin is insufficient.")

    def available(self, account: Account, asset: str, holdings: list[Holding]) -> Decimal:
        """What an asset can still be margin for."""
        wallet = next((b.free + b.locked for b in account.balances() if b.asset == asset), ZERO)
        tied = sum(
            (h.margin + h.ordered - h.profit for h in holdings if _settles(h, asset)),
            ZERO,
        )
        return max(ZERO, EXACT.subtract(wallet, tied))


def _settles(holding: Holding, asset: str) -> bool:
    return holding.listing.instrument.settle == asset


class UsdmAccounts:
    """Answers about balances and positions."""

    def __init__(self, margin: Margin) -> None:
        """Value by this."""
        self._margin = margin

    def account(self, call: Call) -> Payload:
        """Everything at once."""
        holdings = self._margin.holdings(call.account)
        assets = self._assets(call, holdings)
        totals = {
            total: text(sum((Decimal(row[name]) for row in assets), ZERO))
            for total, name in (
                ("totalInitialMargin", "initialMargin"),
                ("totalMaintMargin", "maintMargin"),
                ("totalWalletBalance", "walletBalance"),
                ("totalUnrealizedProfit", "unrealizedProfit"),
                ("totalMarginBalance", "marginBalance"),
                ("totalPositionInitialMargin", "positionInitialMargin"),
                ("totalOpenOrderInitialMargin", "openOrderInitialMargin"),
                ("totalCrossWalletBalance", "crossWalletBalance"),
                ("totalCrossUnPnl", "crossUnPnl"),
                ("availableBalance", "availableBalance"),
                ("maxWithdrawAmount", "maxWithdrawAmount"),
            )
        }
        rows = [self._position(call, h) for h in holdings]
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": False,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
            "updateTime": 0,
            **totals,
            "assets": assets,
            "positions": rows,
        }

    def _assets(self, call: Call, holdings: list[Holding]) -> list[Payload]:
        return [
            self._asset(call, balance.asset, balance.free + balance.locked, holdings)
            for balance in call.account.balances()
        ]

    def _asset(self, call: Call, asset: str, wallet: Decimal, holdings: list[Holding]) -> Payload:
        own = [h for h in holdings if _settles(h, asset)]
        profit, margin = sum((h.profit for h in own), ZERO), sum((h.margin for h in own), ZERO)
        ordered = sum((h.ordered for h in own), ZERO)
        available = text(self._margin.available(call.account, asset, holdings))
        keeps = sum((abs(h.notional) * MAINTENANCE for h in own), ZERO)
        return {
            "asset": asset,
            "walletBalance": text(wallet),
            "unrealizedProfit": text(profit),
            "marginBalance": text(wallet + profit),
            "maintMargin": text(keeps),
            "initialMargin": text(margin + ordered),
            "positionInitialMargin": text(margin),
            "openOrderInitialMargin": text(ordered),
            "crossWalletBalance": text(wallet),
            "crossUnPnl": text(profit),
            "availableBalance": available,
            "maxWithdrawAmount": available,
            "marginAvailable": True,
            "updateTime": millis(call.exchange.now()),
        }

    def balance(self, call: Call) -> list[Payload]:
        """By asset."""
        holdings = self._margin.holdings(call.account)
        rows = self._assets(call, holdings)
        return [
            {
                "accountAlias": "emulator",
                "asset": row["asset"],
                "balance": row["walletBalance"],
                **{
                    name: row[name]
                    for name in ("crossWalletBalance", "crossUnPnl", "availableBalance")
                },
                "maxWithdrawAmount": row["maxWithdrawAmount"],
                "marginAvailable": True,
                "updateTime": row["updateTime"],
            }
            for row in rows
        ]

    def positions(self, call: Call) -> list[Payload]:
        """Positions that are held or have orders, or that of one symbol."""
        wanted = listing_of(call) if call.given("symbol") else None
        return [
            self._position(call, h)
            for h in self._margin.holdings(call.account)
            if (h.listing is wanted if wanted else h.position.size or h.ordered)
        ]

    def all_positions(self, call: Call) -> list[Payload]:
        """Positions in every symbol, with leverage: the older answer."""
        wanted = listing_of(call) if call.given("symbol") else None
        return [
            self._position(call, h)
            | {
                "leverage": str(self._margin.leverage(call.account, h.listing.instrument.symbol)),
                "maxNotionalValue": "1000000000",
                "marginType": "cross",
                "isAutoAddMargin": "false",
            }
            for h in self._margin.holdings(call.account)
            if wanted is None or h.listing is wanted
        ]

    def _position(self, call: Call, holding: Holding) -> Payload:
        instrument, position = holding.listing.instrument, holding.position
        margin, ordered = text(holding.margin), text(holding.ordered)
        return {
            "symbol": instrument.symbol,
            "positionSide": "BOTH",
            "positionAmt": Digits(instrument, None).size(position.size),
            "entryPrice": text(position.entry),
            "breakEvenPrice": text(position.entry),
            "markPrice": text(holding.listing.price),
            "unRealizedProfit": text(holding.profit),
            "unrealizedProfit": text(holding.profit),
            "liquidationPrice": "0",
            "isolatedMargin": "0",
            "notional": text(holding.notional),
            "marginAsset": instrument.settle,
            "isolatedWallet": "0",
            "initialMargin": text(holding.margin + holding.ordered),
            "maintMargin": text(abs(holding.notional) * MAINTENANCE),
            "positionInitialMargin": margin,
            "openOrderInitialMargin": ordered,
            "adl": 1,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": millis(call.exchange.now()),
        }

    def leverages(self, call: Call) -> Any:
        """The brackets of leverage: one for all sizes."""
        names = [call.text("symbol")] if call.given("symbol") else list(call.exchange.listings)
        bracket = {
            "bracket": 1,
            "initialLeverage": LEVERAGE_MAX,
            "notionalCap": 1_000_000_000,
            "notionalFloor": 0,
            "maintMarginRatio": float(MAINTENANCE),
            "cum": 0.0,
        }
        return [{"symbol": name, "brackets": [bracket]} for name in names]

    def commission(self, call: Call) -> Payload:
        """Fees of a symbol."""
        instrument = listing_of(call).instrument
        return {
            "symbol": instrument.symbol,
            "makerCommissionRate": text(instrument.maker_fee, 6),
            "takerCommissionRate": text(instrument.taker_fee, 6),
        }
