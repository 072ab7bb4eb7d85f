"""From wanted quotes to the fewest intents: what already rests unchanged keeps its place.

Cancels come before places. A side with an uncertain order is left alone until evidence closes it.
With `amend`, an order that is to move is amended instead of canceled and placed anew; one that is
on its way to a wanted level counts as being there.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from mm.events.orders import TimeInForce
from mm.events.session import NoQuoteReason
from mm.events.units import Lots, OrderId, Side, Ticks
from mm.projections.lifecycle import Status
from mm.projections.orders import Order
from mm.strategy.base import Level, Take, Wanted

KEEPABLE = (Status.PENDING_NEW, Status.OPEN, Status.PARTIALLY_FILLED, Status.PENDING_AMEND)


class Cancel(NamedTuple):
    """Take this order out."""

    order: Order


class Amend(NamedTuple):
    """Move this order to another price, at the size that makes its leaves `leaves`."""

    order: Order
    price: Ticks
    leaves: Lots


class Place(NamedTuple):
    """Rest a new order at this level."""

    side: Side
    level: int
    price: Ticks
    size: Lots


class Hedge(NamedTuple):
    """Trade at once."""

    take: Take


Step = Cancel | Amend | Place | Hedge


def plan(wanted: Wanted, live: list[Order], *, amend: bool) -> list[Step]:
    """The steps from what is live to what is wanted, cancels first."""
    steps: list[Step] = []
    for side, levels in ((Side.BUY, wanted.bids), (Side.SELL, wanted.asks)):
        orders = [order for order in live if order.side is side and order.tif is TimeInForce.GTC]
        steps += _side(side, levels, orders, amend=amend)
    if wanted.take is not None and not _held_back(wanted.take, live):
        steps.append(Hedge(wanted.take))
    return sorted(steps, key=_rank)


def explained(wanted: Wanted, live: list[Order]) -> Wanted:
    """The same, saying so where an uncertain order keeps a side from being quoted anew."""
    doubtful = [order.side for order in live if _is_doubtful(order)]
    if not doubtful:
        return wanted
    why, reasons = NoQuoteReason.UNCERTAIN_ORDER, {}
    if wanted.bids and Side.BUY in doubtful:
        reasons["bid_reason"] = why
    if wanted.asks and Side.SELL in doubtful:
        reasons["ask_reason"] = why
    return msgspec.structs.replace(wanted, **reasons)


def _rank(step: Step) -> int:
    return 0 if isinstance(step, Cancel) else 1


def _held_back(take: Take, live: list[Order]) -> bool:
    """One hedge at a time, and none while a quote of our own stands in its way."""
    return any(
        order.tif is not TimeInForce.GTC
        or (order.side is take.side.other and (take.price - price) * take.side >= 0)
        for order in live
        for price in order.prices
    )


def _side(side: Side, levels: tuple[Level, ...], orders: list[Order], *, amend: bool) -> list[Step]:
    kept: set[OrderId] = set()
    missing: list[tuple[int, Level]] = []
    for index, level in enumerate(levels):
        order = _match(level, orders, kept)
        if order is None:
            missing.append((index, level))
        else:
            kept.add(order.order_id)
    surplus = [order for order in orders if order.order_id not in kept and order.status in KEEPABLE]
    if any(map(_is_doubtful, orders)):
        missing = []
    return list(_moves(side, missing, surplus, amend=amend))


def _is_doubtful(order: Order) -> bool:
    """Whether a quote may rest there or not, and nobody knows."""
    return order.status is Status.UNCERTAIN and order.tif is TimeInForce.GTC


def _match(level: Level, orders: list[Order], kept: set[OrderId]) -> Order | None:
    """The first order at the level's price that may stay: never larger than wanted."""
    for order in orders:
        price, leaves = order.aim
        fits = price == level.price and leaves <= level.size
        if fits and order.status in KEEPABLE and order.order_id not in kept:
            return order
    return None


def _moves(
    side: Side, missing: list[tuple[int, Level]], surplus: list[Order], *, amend: bool
) -> Iterator[Step]:
    movable = [order for order in surplus if amend and order.resting]
    for order in surplus:
        if order not in movable[: len(missing)]:
            yield Cancel(order)
    for index, level in missing:
        if movable:
            yield Amend(movable.pop(0), level.price, level.size)
        else:
            yield Place(side, index, level.price, level.size)
