"""Money from columns: the accounts that the ledger would have folded from the same fills.

Everything is exact. Positions move by the ledger's own arithmetic, profit is the ledger's own sum.
Fees are those of the simulated venue, rounded fill by fill to 12 decimals, computed for all fills
at once: tick x lot x multiplier x rate is a ratio n/d of whole numbers, so that a fee in units of
1e-12 is price x size x n/d, rounded up to a whole number. Where a product could leave 64 bits, the
same lines run on Python's own integers. An inverse contract divides by its price: there the venue's
decimals decide, once for every distinct price and size. The place of an instrument in the run
stands for its id.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mm.analytics.run import Columns, Traded
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import Liquidity
from mm.events.units import EXACT, INT64_MAX, InstrumentId, Side
from mm.projections.ledger import Account, Key, Ledger
from mm.projections.position import (
    INVERSE_SCALE,
    SCALE,
    Position,
    moved,
    rounded,
    unit,
    value,
)
from mm.sim.fees import AMOUNT_DECIMALS, fee, fee_asset, rate

Whole = npt.NDArray[Any]
"""Whole numbers: 64 bits, or Python's own where those could overflow."""
WALLET: Final = ""
UNITS: Final = 10**AMOUNT_DECIMALS


def key(traded: Traded) -> Key:
    """Where the ledger keeps this account."""
    return WALLET, InstrumentId(traded.place), traded.desk


def ledger(accounts: Iterable[Traded]) -> Ledger:
    """What these desks did in these instruments, as the ledger holds it."""
    made = Ledger()
    for traded in accounts:
        made.instruments[InstrumentId(traded.place)] = traded.instrument
        made.accounts[key(traded)] = account(traded)
    return made


def account(traded: Traded) -> Account:
    """One desk in one instrument: position, fees, funding, volume."""
    fills = traded.fills
    bought = fills["side"] > 0
    size, worth = _whole(fills, "size", _most(fills, "size") * len(fills)), points(fills)
    return Account(
        position=position(traded),
        fees={asset: amount(units) for asset, units in charged(traded).items()},
        funding=_funding(traded),
        bought=total(size[bought]),
        sold=total(size[~bought]),
        bought_value=total(worth[bought]),
        sold_value=total(worth[~bought]),
        fills=len(fills),
        maker_fills=int((fills["taker"] == 0).sum()),
    )


def position(traded: Traded) -> Position:
    """Average cost, fill by fill: what each close releases is rounded, so the order counts."""
    held, kind, fills = Position(), traded.instrument.kind, traded.fills
    signed = (fills["side"] * fills["size"]).tolist()
    for lots, price in zip(signed, fills["price"].tolist(), strict=True):
        held = moved(held, lots, price, kind)
    return held


def points(fills: Columns, room: int = 1) -> Whole:
    """Price times size of each fill, in ticks times lots, with room for `room` times their sum."""
    bound = _most(fills, "price") * _most(fills, "size") * len(fills) * room
    return _whole(fills, "price", bound) * _whole(fills, "size", bound)


def captured(traded: Traded) -> Decimal:
    """Spread captured: what the fills were worth at the mid they met, less what they cost.

    The sum of side x (mid - price) x size, exact but for the ledger's rounding of inverse values; a
    fill that met no two-sided book captured nothing. The rest of the profit before fees is what the
    mid did to the position afterwards.
    """
    at, fills = traded.instrument, traded.fills[traded.fills["mid2"] > 0]
    if at.kind is ContractKind.INVERSE:
        names = ("side", "price", "mid2", "size")
        gains = (
            side * (value(at.kind, price, size) - rounded(2 * size * INVERSE_SCALE, mid2))
            for side, price, mid2, size in zip(
                *(fills[each].tolist() for each in names), strict=True
            )
        )
        return EXACT.multiply(sum(gains), unit(at))
    bound = (_most(fills, "mid2") + 2 * _most(fills, "price")) * _most(fills, "size") * len(fills)
    mids2, prices, sizes = (_whole(fills, name, bound) for name in ("mid2", "price", "size"))
    won = total(fills["side"] * (mids2 - 2 * prices) * sizes)
    return EXACT.divide(EXACT.multiply(won * SCALE, unit(at)), 2)


def last_mid2(traded: Traded) -> int:
    """Twice the last mid that is known, in ticks; 0 where there never was one."""
    for table in (traded.points, traded.fills):
        known = table["mid2"][table["mid2"] > 0]
        if len(known):
            return int(known[-1])
    return 0


def mid(traded: Traded) -> Decimal | None:
    """The last mid as a price; None where there never was one."""
    ticks2 = last_mid2(traded)
    return EXACT.multiply(EXACT.divide(ticks2, 2), traded.instrument.tick_size) if ticks2 else None


def charged(traded: Traded) -> dict[str, Whole]:
    """The fee of every fill in units of 1e-12, by the asset it is paid in; 0 in the other asset.

    Rates are those of the definition that stood when the fill was made.
    """
    fills = traded.fills
    charges: dict[str, Whole] = {}
    revisions = np.unique(fills["revision"]).tolist()
    for revision, side, liquidity in product(revisions, Side, Liquidity):
        at, taker = traded.under(revision), liquidity is Liquidity.TAKER
        chosen = (fills["side"] == side) & (fills["taker"].astype(bool) == taker)
        chosen &= fills["revision"] == revision
        if chosen.any():
            asset = fee_asset(at, side)
            units = _units(at, side, liquidity, fills[chosen])
            column = charges.setdefault(asset, np.zeros(len(fills), units.dtype))
            if units.dtype == object and column.dtype != object:
                column = charges[asset] = column.astype(object)
            column[chosen] = units
    return charges


def _units(at: InstrumentDefined, side: Side, liquidity: Liquidity, fills: Columns) -> Whole:
    if at.kind is ContractKind.INVERSE:
        return _divided(at, side, liquidity, fills)
    worth_one = EXACT.multiply(EXACT.multiply(at.lot_size, at.multiplier), rate(at, liquidity))
    in_base = fee_asset(at, side) != at.quote and at.kind is ContractKind.SPOT
    names = ("size",) if in_base else ("size", "price")
    if not in_base:
        worth_one = EXACT.multiply(worth_one, at.tick_size)
    ratio = Fraction(worth_one) * UNITS
    bound = len(fills) * max(abs(ratio.numerator), ratio.denominator)
    for name in names:
        bound *= _most(fills, name)
    worth = _whole(fills, names[0], bound)
    for name in names[1:]:
        worth = worth * _whole(fills, name, bound)
    return -(-worth * ratio.numerator // ratio.denominator)


def _divided(at: InstrumentDefined, side: Side, liquidity: Liquidity, fills: Columns) -> Whole:
    """Fees of an inverse contract, in Python's integers."""
    pairs = np.stack([fills["price"], fills["size"]])
    distinct, places = np.unique(pairs, axis=1, return_inverse=True)
    fees = [
        int(fee(at, side, price, size, liquidity)[0].scaleb(AMOUNT_DECIMALS, EXACT))
        for price, size in distinct.T.tolist()
    ]
    return np.array(fees, object)[places.ravel()]


def amount(units: Whole) -> Decimal:
    """The sum of amounts in units of 1e-12, as a decimal."""
    return Decimal(total(units)).scaleb(-AMOUNT_DECIMALS, EXACT)


def total(values: Whole) -> int:
    """The sum as an integer of any size."""
    return int(values.sum()) if len(values) else 0


def _whole(fills: Columns, name: str, bound: int) -> Whole:
    """A column in whole numbers that no product up to `bound` overflows."""
    column: Whole = fills[name]
    return column if bound <= INT64_MAX else column.astype(object)


def _most(fills: Columns, name: str) -> int:
    return int(fills[name].max()) if len(fills) else 0


def _funding(traded: Traded) -> dict[str, Decimal]:
    paid: dict[str, Decimal] = {}
    for each in traded.payments:
        paid[each.asset] = EXACT.add(paid.get(each.asset, Decimal(0)), each.amount)
    return paid
