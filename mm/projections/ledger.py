"""Positions and P&L: what was traded, earned and paid, per wallet, instrument and strategy.

Realised and unrealised profit by average cost, fees and funding by asset, exactly. A fill or a
payment told twice (by socket and by REST) counts once: the venue's id decides, in a bounded memory.
The two sides of a trade with ourselves share the id of the trade, and are two fills. A spot fee
taken in the base asset makes the holding smaller than the fills' sum; it is kept apart, exact.
"""

from collections import OrderedDict
from decimal import Decimal, localcontext
from typing import Any, Final

import msgspec

from mm.events.account import FundingPaid
from mm.events.instrument import InstrumentDefined
from mm.events.market import FundingPublished, MarkPublished
from mm.events.orders import Liquidity, OrderFilled
from mm.events.units import EXACT, InstrumentId, Lots, Nanos, Side
from mm.projections.base import Routes
from mm.projections.position import Position, evolve, unit, unrealised

FILLS_REMEMBERED_MAX: Final = 50_000
"""Fills remembered of each instrument in each wallet: one told again later than that counts twice.

A venue repeats what it told around a break of the line: REST is asked for what came after the last
fill that we heard of, a page of at most some thousand. Fills of other instruments or wallets push
none out.
"""
PAYMENTS_REMEMBERED_MAX: Final = 10_000
ZERO: Final = Decimal(0)


class Account(msgspec.Struct, kw_only=True):
    """All that one strategy did in one instrument from one wallet; changes in place."""

    position: Position = Position()
    fees: dict[str, Decimal] = {}
    funding: dict[str, Decimal] = {}
    bought: int = 0
    sold: int = 0
    bought_value: int = 0
    sold_value: int = 0
    fills: int = 0
    maker_fills: int = 0


class Pnl(msgspec.Struct, frozen=True):
    """Profit in the settlement currency; fees are paid (negative: rebates), funding received.

    `total` = realised + unrealised - fees + funding, with base-asset fees valued at the mark;
    amounts in any other asset have no price here and stand in the account alone.
    """

    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal

    @property
    def total(self) -> Decimal:
        """Equity change since the start."""
        with localcontext(EXACT):
            return self.realised + self.unrealised - self.fees + self.funding


Key = tuple[str, InstrumentId, str]
Owner = tuple[str, InstrumentId]
FillKey = tuple[int, str]
PaymentKey = tuple[str, InstrumentId, str, str, Nanos]


class Ledger:
    """Accounts by (wallet, instrument, strategy), instruments, and marks.

    `netted` is the one position that a venue makes of all strategies of a wallet, by its own
    average cost: what one closes of another's is realised there, and in no account.
    """

    name: Final = "ledger"

    def __init__(self) -> None:
        """Start empty."""
        self.accounts: dict[Key, Account] = {}
        self.netted: dict[Owner, Position] = {}
        self.instruments: dict[InstrumentId, InstrumentDefined] = {}
        self.marks: dict[InstrumentId, Decimal] = {}
        self.funding_rates: dict[InstrumentId, tuple[Decimal, int]] = {}
        self._seen: dict[Owner, OrderedDict[FillKey, None]] = {}
        self._paid: OrderedDict[PaymentKey, None] = OrderedDict()
        self._net: dict[InstrumentId, int] = {}
        self.duplicates = 0

    def is_repeated(self, fill: OrderFilled) -> bool:
        """Whether this very fill was booked before; without an id it is booked whenever told."""
        seen = self._seen.get((fill.wallet, fill.instrument), ())
        return bool(fill.fill_id) and _fill_key(fill) in seen

    def net(self, instrument: InstrumentId) -> Lots:
        """Signed lots over all wallets and strategies."""
        return Lots(self._net.get(instrument, 0))

    def account(self, wallet: str, instrument: InstrumentId, strategy: str) -> Account:
        """What a strategy did, to look at; an empty account before its first fill."""
        return self.accounts.get((wallet, instrument, strategy)) or Account()

    def _made(self, wallet: str, instrument: InstrumentId, strategy: str) -> Account:
        key = (wallet, instrument, strategy)
        found = self.accounts.get(key)
        if found is None:
            found = self.accounts[key] = Account()
        return found

    def pnl(self, key: Key, mid: Decimal | None = None) -> Pnl:
        """Profit of an account, valued at the venue's mark, else at `mid` (both in price)."""
        account, instrument = self.accounts[key], self.instruments[key[1]]
        price = self.marks.get(key[1], mid)
        with localcontext(EXACT):
            mark = (price or ZERO) / instrument.tick_size
            scale = unit(instrument)
            open_profit = unrealised(account.position, instrument.kind, mark) if mark else ZERO
            return Pnl(
                realised=account.position.realised * scale,
                unrealised=open_profit * scale,
                fees=self._valued(account.fees, instrument, price or ZERO),
                funding=self._valued(account.funding, instrument, price or ZERO),
            )

    @staticmethod
    def _valued(amounts: dict[str, Decimal], at: InstrumentDefined, price: Decimal) -> Decimal:
        total = amounts.get(at.settle, ZERO)
        if at.base != at.settle:
            total += amounts.get(at.base, ZERO) * price
        return total

    def routes(self) -> Routes:
        """Fills, funding, definitions and marks by type."""
        return {
            InstrumentDefined: self._defined,
            OrderFilled: self._filled,
            FundingPaid: self._funded,
            MarkPublished: self._marked,
            FundingPublished: self._rated,
        }

    def _defined(self, event: InstrumentDefined, _at: Nanos) -> None:
        known = self.instruments.get(event.instrument, event).identity
        assert known == event.identity, f"{event.instrument} is {known}, not {event.identity}"
        self.instruments[event.instrument] = event

    def _marked(self, event: MarkPublished, _at: Nanos) -> None:
        self.marks[event.instrument] = event.price

    def _rated(self, event: FundingPublished, _at: Nanos) -> None:
        self.funding_rates[event.instrument] = (event.rate, event.due)

    def _filled(self, event: OrderFilled, _at: Nanos) -> None:
        assert event.instrument in self.instruments, f"fill of an undefined instrument: {event}"
        owner = (event.wallet, event.instrument)
        seen = self._seen.setdefault(owner, OrderedDict())
        _remember(seen, _fill_key(event), FILLS_REMEMBERED_MAX)
        kind = self.instruments[event.instrument].kind
        account = self._made(event.wallet, event.instrument, event.strategy)
        account.position = evolve(account.position, event, kind)
        self.netted[owner] = evolve(self.netted.get(owner, Position()), event, kind)
        self._net[event.instrument] = self.net(event.instrument) + event.side * event.size
        account.fees[event.fee_asset] = EXACT.add(
            account.fees.get(event.fee_asset, ZERO), event.fee
        )
        account.fills += 1
        account.maker_fills += event.liquidity is Liquidity.MAKER
        traded = event.price * event.size
        if event.side is Side.BUY:
            account.bought += event.size
            account.bought_value += traded
        else:
            account.sold += event.size
            account.sold_value += traded

    def _funded(self, event: FundingPaid, _at: Nanos) -> None:
        """Funding belongs to whoever held the position: split by size would guess, so in order."""
        payment = (event.wallet, event.instrument, event.asset, event.payment_id, event.due)
        if payment in self._paid and (event.payment_id or event.due):
            self.duplicates += 1
            return
        _remember(self._paid, payment, PAYMENTS_REMEMBERED_MAX)
        owners = [
            key
            for key, account in self.accounts.items()
            if key[:2] == (event.wallet, event.instrument) and account.position.net
        ]
        strategy = owners[0][2] if owners else ""
        account = self._made(event.wallet, event.instrument, strategy)
        account.funding[event.asset] = EXACT.add(
            account.funding.get(event.asset, ZERO), event.amount
        )

    def dump(self) -> Any:
        """Accounts, definitions, marks and the fills remembered."""
        accounts = []
        for key, account in self.accounts.items():
            exact = _exact(account.position)
            volume = [str(account.bought), str(account.sold)]
            values = [str(account.bought_value), str(account.sold_value)]
            counts = [account.fills, account.maker_fills]
            accounts.append(
                (
                    list(key),
                    exact,
                    account.fees,
                    account.funding,
                    volume,
                    values,
                    counts,
                )
            )
        return (
            accounts,
            [(*owner, _exact(position)) for owner, position in self.netted.items()],
            [msgspec.to_builtins(each) for each in self.instruments.values()],
            list(self.marks.items()),
            [(key, *value) for key, value in self.funding_rates.items()],
            [(*owner, list(seen)) for owner, seen in self._seen.items()],
            [list(key) for key in self._paid],
            self.duplicates,
        )

    def load(self, dumped: Any) -> None:
        """Restore what `dump` gave."""
        accounts, netted, instruments, marks, rates, seen, paid, self.duplicates = dumped
        self.accounts, self._net = {}, {}
        for key, exact, fees, funding, volume, values, counts in accounts:
            account = self._made(*key)
            account.position = _position(exact)
            account.fees = {asset: Decimal(text) for asset, text in fees.items()}
            account.funding = {asset: Decimal(text) for asset, text in funding.items()}
            account.bought, account.sold = map(int, volume)
            account.bought_value, account.sold_value = map(int, values)
            account.fills, account.maker_fills = counts
            self._net[key[1]] = self.net(key[1]) + account.position.net
        self.netted = {(wallet, number): _position(exact) for wallet, number, exact in netted}
        defined = [msgspec.convert(plain, InstrumentDefined) for plain in instruments]
        self.instruments = {each.instrument: each for each in defined}
        self.marks = {key: Decimal(text) for key, text in marks}
        self.funding_rates = {key: (Decimal(rate), due) for key, rate, due in rates}
        self._seen = {
            (wallet, number): OrderedDict((tuple(key), None) for key in keys)
            for wallet, number, keys in seen
        }
        self._paid = OrderedDict((tuple(key), None) for key in paid)


def _exact(position: Position) -> list[str]:
    """As text: these integers may be larger than any that a snapshot's format has."""
    return [str(position.net), str(position.cost), str(position.realised)]


def _position(exact: list[str]) -> Position:
    net, cost, realised = map(int, exact)
    return Position(Lots(net), cost, realised)


def _fill_key(fill: OrderFilled) -> FillKey:
    return (int(fill.side), fill.fill_id)


def _remember(memory: OrderedDict[Any, None], key: Any, most: int) -> None:
    memory[key] = None
    if len(memory) > most:
        memory.popitem(last=False)
