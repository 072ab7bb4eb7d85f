"""The contestants' strategies for hftbacktest, compiled as its documentation asks.

The maker looks at every step of `STEP_NS`: one post-only bid and ask around the mid, leaning
against its inventory, replaced only when the target price changed, a side stopped at the most
inventory allowed, and nothing placed where it would meet an order of its own that is still there,
as our risk gate refuses it. Inventory is counted in whole lots, so that no rounding of floats
decides. Without a two-sided book it cancels what rests, as our makers do. A journal, if given,
takes down every order, cancel and fill; without one its code is not even compiled, so that it costs
the timed runs nothing.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from hftbacktest import FILLED, GTX, LIMIT
from numba import njit

NOWHERE: Final = 1 << 40
"""Prices in ticks beyond this stand for the best of an empty side."""
FOREVER_NS: Final = 10**17
NO_WAIT: Final = False
NEXT_FEED: Final = 2
"""What a wait returns when market data arrived."""

STEPS, ORDERS, CANCELS, FILLS, CODE, ABOVE = range(6)
"""Places in `counts`; the code is 0 while the data lasts, 1 at its end, else an error's."""

ORDER: Final = np.dtype([("at", "i8"), ("id", "i8"), ("price", "i8"), ("side", "i8")])
CANCEL: Final = np.dtype([("at", "i8"), ("id", "i8")])
FILL: Final = np.dtype(
    [
        ("venue", "i8"),
        ("id", "i8"),
        ("price", "i8"),
        ("lots", "i8"),
        ("side", "i8"),
        ("maker", "i8"),
    ]
)


class Terms(NamedTuple):
    """How the maker quotes: distances in ticks, sizes in lots, times in nanoseconds."""

    wait: int
    step: int
    half: float
    skew: float
    qty: int
    most: int
    lot: float


Backtest = Any
"""The library's backtest, over either kind of book."""
Counts = npt.NDArray[np.int64]


class Journal(NamedTuple):
    """Room for all that the maker does and hears."""

    orders: npt.NDArray[Any]
    cancels: npt.NDArray[Any]
    fills: npt.NDArray[Any]


class Pad(NamedTuple):
    """What the maker writes on; a row of `mine` is a side's last order and its price."""

    mine: npt.NDArray[np.int64]
    counts: Counts
    kept: Journal | None


def journal(steps: int) -> Journal:
    """Room enough for so many steps."""
    room = 2 * steps + 4
    return Journal(np.zeros(room, ORDER), np.zeros(room, CANCEL), np.zeros(room, FILL))


@njit
def note_fills(hbt: Backtest, lot: float, counts: Counts, kept: Journal | None) -> None:
    """Take down the fills that have been heard since the last step."""
    if kept is None:
        return
    orders = hbt.orders(0).values()
    while orders.has_next():
        order = orders.get()
        if order.status == FILLED:
            fill = kept.fills[counts[FILLS]]
            fill.venue = order.exch_timestamp
            fill.id = np.int64(order.order_id)
            fill.price = order.exec_price_tick
            fill.lots = np.int64(np.rint(order.exec_qty / lot))
            fill.side = order.side
            fill.maker = order.arr[0].maker  # The one field without a property.
            counts[FILLS] += 1


@njit
def note_cancel(hbt: Backtest, order: int, counts: Counts, kept: Journal | None) -> None:
    """Count a cancel, and take it down."""
    if kept is not None:
        cancel = kept.cancels[counts[CANCELS]]
        cancel.at, cancel.id = hbt.current_timestamp, order
    counts[CANCELS] += 1


@njit
def note_order(hbt: Backtest, side: int, price: int, counts: Counts, kept: Journal | None) -> None:
    """Count an order, and take it down; its id is its number, from 1."""
    if kept is not None:
        order = kept.orders[counts[ORDERS]]
        order.at, order.id = hbt.current_timestamp, counts[ORDERS] + 1
        order.price, order.side = price, side
    counts[ORDERS] += 1


@njit
def meets_own(hbt: Backtest, side: int, price: int) -> bool:
    """Whether an order would meet one of our own, which may be about to be canceled."""
    orders = hbt.orders(0).values()
    while orders.has_next():
        order = orders.get()
        if order.side != side and (price - order.price_tick) * side >= 0:
            return True
    return False


@njit
def withdraw(hbt: Backtest, side: int, pad: Pad) -> bool:
    """Cancel one side's order; whether it was there, and not on its way to the venue."""
    mine = pad.mine[0] if side == 1 else pad.mine[1]
    order, orders = np.uint64(mine[0]), hbt.orders(0)
    if order not in orders or not orders.get(order).cancellable:
        return False
    hbt.cancel(0, order, NO_WAIT)
    note_cancel(hbt, mine[0], pad.counts, pad.kept)
    return True


@njit
def work(hbt: Backtest, side: int, target: int, net: int, terms: Terms, pad: Pad) -> None:
    """Bring one side's order to its target; what is on its way to the venue is left alone."""
    mine = pad.mine[0] if side == 1 else pad.mine[1]
    wanted = side * net < terms.most
    resting = np.uint64(mine[0]) in hbt.orders(0)
    if resting and (mine[1] != target or not wanted) and withdraw(hbt, side, pad):
        resting = False
    if resting or not wanted or meets_own(hbt, side, target):
        return
    note_order(hbt, side, target, pad.counts, pad.kept)
    mine[0], mine[1] = pad.counts[ORDERS], target
    price, size = target * hbt.depth(0).tick_size, terms.qty * terms.lot
    if side == 1:
        hbt.submit_buy_order(0, np.uint64(mine[0]), price, size, GTX, LIMIT, NO_WAIT)
    else:
        hbt.submit_sell_order(0, np.uint64(mine[0]), price, size, GTX, LIMIT, NO_WAIT)


@njit
def maker(hbt: Backtest, terms: Terms, pad: Pad) -> None:
    """Quote until the data ends."""
    wait = terms.wait
    while True:
        pad.counts[CODE] = hbt.elapse(wait)
        wait = terms.step
        note_fills(hbt, terms.lot, pad.counts, pad.kept)
        if pad.counts[CODE] != 0:
            return
        hbt.clear_inactive_orders(0)
        pad.counts[STEPS] += 1
        depth = hbt.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if bid < -NOWHERE or ask > NOWHERE:
            withdraw(hbt, 1, pad)
            withdraw(hbt, -1, pad)
            continue
        net = np.int64(np.rint(hbt.position(0) / terms.lot))
        fair = 0.5 * (bid + ask) - terms.skew * net / terms.qty
        lower = min(np.int64(np.floor(fair - terms.half)), bid)
        upper = max(np.int64(np.ceil(fair + terms.half)), ask)
        work(hbt, 1, lower, net, terms, pad)
        work(hbt, -1, upper, net, terms, pad)


def every_event(hbt: Backtest, requote: int, size: float, counts: Counts) -> None:
    """Called back on all market data: mid and microprice, and once in a while a new bid."""
    ours = 0
    while hbt.wait_next_feed(NO_WAIT, FOREVER_NS) == NEXT_FEED:
        counts[STEPS] += 1
        depth = hbt.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if bid < -NOWHERE or ask > NOWHERE:
            continue
        bids, asks = depth.bid_qty_at_tick(bid), depth.ask_qty_at_tick(ask)
        if (bid * asks + ask * bids) / (bids + asks) > 0.5 * (bid + ask):
            counts[ABOVE] += 1
        if counts[STEPS] % requote == 0:
            if ours > 0 and ours in hbt.orders(0) and hbt.orders(0).get(ours).cancellable:
                hbt.cancel(0, ours, NO_WAIT)
                counts[CANCELS] += 1
            hbt.clear_inactive_orders(0)
            ours += 1
            price = (bid - 5) * depth.tick_size
            hbt.submit_buy_order(0, ours, price, size, GTX, LIMIT, NO_WAIT)
            counts[ORDERS] += 1


every_event_compiled = njit(every_event)
