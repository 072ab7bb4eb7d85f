"""The figures of a run: what was earned, how, at what risk, and what it took.

Money is exact and comes from the ledger's arithmetic. Ratios, averages and drawdown are float64.
Every ratio is made of changes of money over equal steps of log time, a minute unless asked
otherwise, with 365 days a year; no risk-free rate, and no capital unless the run had some. The step
is told beside the figure, because the figure depends on it.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from typing import Final

import msgspec
import numpy as np

from mm.analytics import money, ratios
from mm.analytics.equity import Curve, Floats, curve, drawdown, known_mids, sampled
from mm.analytics.run import Run, Traded
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import EXACT, SECONDS, Nanos
from mm.projections.ledger import Account, Ledger, Pnl
from mm.sim.fees import AMOUNT_DECIMALS

MINUTE: Final = Nanos(60 * SECONDS)
YEAR: Final = ratios.YEAR_DAYS * 86_400 * SECONDS
ZERO: Final = Decimal(0)
BPS: Final = 1e4
HORIZONS: Final = (1, 10)
"""Seconds after a fill at which its markout is taken."""


class Profit(msgspec.Struct, frozen=True, kw_only=True):
    """Profit in one currency; fees are paid (negative: rebates), funding received.

    `captured` is the spread earned at the fills, `drifted` what the mid did to the position: the
    two are realised and unrealised profit, split the other way.
    """

    currency: str
    realised: Decimal = ZERO
    unrealised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    total: Decimal = ZERO
    captured: Decimal = ZERO
    drifted: Decimal = ZERO


class Trading(msgspec.Struct, frozen=True, kw_only=True):
    """Orders and fills; sizes in `unit`, turnover in `quote`, times in seconds, the rest in bps.

    `orders_filled` were filled at least in part; a message is an order, or the end of one that was
    not filled. `edge_bps` is side x (mid - price) / price at the
    fill, `markouts_bps` the same with the mid so many seconds later, both weighted by size.
    """

    unit: str
    quote: str
    orders: int
    orders_filled: int
    placed: Decimal
    filled: Decimal
    messages: int
    fills: int
    maker_fills: int
    bought: Decimal
    sold: Decimal
    turnover: Decimal
    turnover_a_day: Decimal
    lifetime_median: float | None
    edge_bps: float | None
    markouts_bps: dict[int, float]


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """The position over time, in `unit`; means are weighted by log time."""

    unit: str
    quote: str
    last: Decimal
    entry: Decimal
    mean: float
    mean_size: float
    largest: Decimal


class AccountFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One desk in one instrument."""

    desk: str
    instrument: str
    profit: Profit
    trading: Trading
    inventory: Inventory


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """The equity in one currency: ratios of changes over `step` nanoseconds, drawdown in money.

    `under_longest` is in seconds. The last three are of the capital, where the run had some.
    """

    profit: Profit
    step: Nanos
    samples: int
    sharpe: float
    sharpe_error: float
    sortino: float
    drawdown: float
    under_longest: float
    under_share: float
    capital: Decimal | None = None
    annual_return: float | None = None
    drawdown_share: float | None = None
    calmar: float | None = None


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a run: by account, and by currency over all accounts."""

    days: float
    accounts: tuple[AccountFigures, ...]
    risks: tuple[Risk, ...]


def performance(run: Run, step: Nanos = MINUTE) -> Performance:
    """Compute the figures; `step` is the interval of the ratios, in nanoseconds of log time."""
    parts = list(run.traded())
    ledger = money.ledger(parts)
    accounts = [_account(run, part, ledger) for part in parts]
    currencies = dict.fromkeys(each.profit.currency for each in accounts)
    risks = []
    for currency in currencies:
        profit = _sum(each.profit for each in accounts if each.profit.currency == currency)
        together = curve([part for part in parts if part.instrument.settle == currency])
        risks.append(_risk(run, profit, together, _step(parts, step)))
    return Performance(days=run.days, accounts=tuple(accounts), risks=tuple(risks))


def changes(run: Run, currency: str, step: Nanos = MINUTE) -> Floats:
    """What the equity in a currency changed by over each step: what the ratios are made of."""
    parts = [part for part in run.traded() if part.instrument.settle == currency]
    if not parts:
        return np.zeros(0)
    info = run.info
    return np.diff(sampled(curve(parts), info.first, info.last, _step(parts, step)))


def unit_of(instrument: InstrumentDefined) -> str:
    """What a size is counted in."""
    return "contracts" if instrument.kind is ContractKind.INVERSE else instrument.base


def _account(run: Run, part: Traded, ledger: Ledger) -> AccountFigures:
    key = money.key(part)
    account, pnl = ledger.accounts[key], ledger.pnl(key, money.mid(part))
    return AccountFigures(
        desk=part.desk,
        instrument=part.instrument.name,
        profit=_profit(part, pnl),
        trading=_trading(run, part, account),
        inventory=_inventory(run, part, account),
    )


def _profit(part: Traded, pnl: Pnl) -> Profit:
    captured = money.captured(part)
    with localcontext(EXACT):
        return Profit(
            currency=part.instrument.settle,
            realised=pnl.realised,
            unrealised=pnl.unrealised,
            fees=pnl.fees,
            funding=pnl.funding,
            total=pnl.total,
            captured=captured,
            drifted=pnl.realised + pnl.unrealised - captured,
        )


def _sum(profits: Iterable[Profit]) -> Profit:
    several = list(profits)
    names = [name for name in Profit.__struct_fields__ if name != "currency"]
    with localcontext(EXACT):
        sums = {name: sum((getattr(each, name) for each in several), ZERO) for name in names}
    return Profit(currency=several[0].currency, **sums)


def _trading(run: Run, part: Traded, account: Account) -> Trading:
    orders, at = part.orders, part.instrument
    with localcontext(EXACT):
        turnover = _turnover(at, account)
        a_day = round(turnover / Decimal(run.days), AMOUNT_DECIMALS) if run.days else ZERO
    lives = (orders["ended"] - orders["placed"])[orders["ended"] > 0]
    unfilled = int(((orders["ended"] > 0) & (orders["filled"] < orders["size"])).sum())
    return Trading(
        unit=unit_of(at),
        quote=at.quote,
        orders=len(orders),
        orders_filled=int((orders["filled"] > 0).sum()),
        placed=at.size(int(orders["size"].sum())),
        filled=at.size(int(orders["filled"].sum())),
        messages=len(orders) + unfilled,
        fills=account.fills,
        maker_fills=account.maker_fills,
        bought=at.size(account.bought),
        sold=at.size(account.sold),
        turnover=turnover,
        turnover_a_day=a_day,
        lifetime_median=float(np.median(lives)) / SECONDS if len(lives) else None,
        edge_bps=_edge(part),
        markouts_bps=_markouts(part),
    )


def _turnover(at: InstrumentDefined, account: Account) -> Decimal:
    """What was bought and sold, in quote currency; an inverse contract is worth its multiplier."""
    with localcontext(EXACT):
        lot = at.lot_size * at.multiplier
        if at.kind is ContractKind.INVERSE:
            return (account.bought + account.sold) * lot
        return (account.bought_value + account.sold_value) * lot * at.tick_size


def _edge(part: Traded) -> float | None:
    met = part.fills[part.fills["mid2"] > 0]
    return _weighted(met, met["mid2"] / 2) if len(met) else None


def _markouts(part: Traded) -> dict[int, float]:
    """By horizon in seconds; none where mids were sampled more rarely than that."""
    when, mids2 = known_mids(part)
    found: dict[int, float] = {}
    spacing = _spacing(part)
    for seconds in HORIZONS:
        due = part.fills["at"] + seconds * SECONDS
        seen = due <= when[-1] if len(when) else np.zeros(len(due), np.bool_)
        if seen.any() and spacing is not None and spacing <= seconds * SECONDS:
            places = np.searchsorted(when, due[seen], side="right") - 1
            found[seconds] = _weighted(part.fills[seen], mids2[np.maximum(places, 0)] / 2)
    return found


def _weighted(fills: np.ndarray, mids: Floats) -> float:
    gains = fills["side"] * (mids - fills["price"]) / fills["price"] * BPS
    return float(np.average(gains, weights=fills["size"]))


def _spacing(part: Traded) -> int | None:
    """The usual time between samples, in nanoseconds."""
    steps = np.diff(part.points["at"])
    return int(np.median(steps)) if len(steps) else None


def _step(parts: Sequence[Traded], step: Nanos) -> Nanos:
    """The step asked for, or the samples' own where they are rarer."""
    return Nanos(max(step, *(_spacing(part) or 0 for part in parts)))


def _inventory(run: Run, part: Traded, account: Account) -> Inventory:
    at, fills = part.instrument, part.fills
    net = np.concatenate([[0], np.cumsum(fills["side"] * fills["size"])])
    edges = np.concatenate([[run.info.first], fills["heard"], [max(run.info.last, run.info.first)]])
    spans = np.maximum(np.diff(edges), 0)
    lot, largest = float(at.lot_size), int(np.abs(net).max())
    if not spans.any():  # Everything at one moment: what is held then.
        net, spans = net[-1:], np.ones(1)
    return Inventory(
        unit=unit_of(at),
        quote=at.quote,
        last=at.size(account.position.net),
        entry=round(EXACT.multiply(account.position.entry(at.kind), at.tick_size), AMOUNT_DECIMALS),
        mean=float(np.average(net, weights=spans)) * lot,
        mean_size=float(np.average(np.abs(net), weights=spans)) * lot,
        largest=at.size(largest),
    )


def _risk(run: Run, profit: Profit, together: Curve, step: Nanos) -> Risk:
    values = sampled(together, run.info.first, run.info.last, step)
    changed, periods = np.diff(values), YEAR / step
    fell = drawdown(together)
    risk = Risk(
        profit=profit,
        step=step,
        samples=len(changed),
        sharpe=ratios.sharpe(changed, periods),
        sharpe_error=ratios.sharpe_error(changed, periods),
        sortino=ratios.sortino(changed, periods),
        drawdown=fell.deepest,
        under_longest=fell.longest / SECONDS,
        under_share=fell.share,
    )
    capital = run.info.capital.get(profit.currency)
    return _of_capital(risk, capital, values) if capital else risk


def _of_capital(risk: Risk, capital: Decimal, values: Floats) -> Risk:
    wealth, periods = values + float(capital), YEAR / risk.step
    returns = np.diff(wealth) / wealth[:-1]
    return msgspec.structs.replace(
        risk,
        capital=capital,
        annual_return=ratios.annual_return(returns, periods),
        drawdown_share=-ratios.max_drawdown(returns),
        calmar=ratios.calmar(returns, periods),
    )
