"""The synthetic day that all contestants play: seeded level updates and trades, never crossed.

Tick 0.1, lot 0.001, a mid that walks around 50,000, some fifty levels a side, messages in bursts
with 40 ms between them on average. A trade is followed by the level it ate, as on a real venue.
The stream comes from one xorshift64* generator: the same bytes with every version of numba and
NumPy, and a shorter day is the beginning of a longer one, but for `last` on its final event.
"""

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.peers.events import DEPTH, EVENT, TRADE, Events
from mm.projections.compiled import njit

COUNT: Final = 5_000_000
TICK: Final = "0.1"
LOT: Final = "0.001"
SEED: Final = 20_240_101
OPENS_NS: Final = 1_704_067_200_000_000_000
FIRST_BID: Final = 500_000
LEVELS: Final = 50
TAIL: Final = 8
"""How many of the farthest ticks are filled up when the best price moves."""
MESSAGE_UPDATES_MAX: Final = 12
SPREAD_MAX: Final = 4
MESSAGE_GAP_NS: Final = 40_500_000.0
BURST, LULL = 0.12, 3.05
"""Means of the short and of the long gaps, as multiples of `MESSAGE_GAP_NS`."""
TRANSIT_NS: Final = 1_000_000
JITTER_NS: Final = -300_000
TRADES: Final = 0.225
SIGMA: Final = 1.2 * 1.41
"""Spread of the logarithm of a size; the second factor makes six uniforms a unit normal."""
DIGESTS: Final = {
    COUNT: "c8925ba99f46675e4e2955fea7ed1de48017ad4ddd6d33cc9d8ef87ebf11afb8",
    100_000: "f815b40c20d5670a0061e6213f12502204c5773d95d7de83644b6457935ccb0d",
}
"""SHA-256 of the events' bytes, by how many there are."""


class Market(NamedTuple):
    """All that changes while a day is made; row 0 of `sizes` and `best` is bids, row 1 asks."""

    events: Events
    told: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    best: npt.NDArray[np.int64]
    dice: npt.NDArray[np.uint64]


@njit(cache=True)
def uniform(market: Market) -> float:
    """The next number in [0, 1), 53 bits of xorshift64* (Vigna, arXiv 1402.6246)."""
    state = market.dice[0]
    state ^= state >> np.uint64(12)
    state ^= state << np.uint64(25)
    state ^= state >> np.uint64(27)
    market.dice[0] = state
    top = (state * np.uint64(2685821657736338717)) >> np.uint64(11)
    return float(top * (1.0 / 9007199254740992.0))


@njit(cache=True)
def exponential(market: Market, scale: float) -> int:
    """A whole number whose mean is about the negated `scale`."""
    return int(scale * np.log(1.0 - uniform(market)))


@njit(cache=True)
def drawn_size(market: Market, median: int) -> int:
    """A lognormal size in lots, at least 1."""
    normal = uniform(market)
    for _ in range(5):
        normal += uniform(market)
    return max(1, int(median * np.exp(SIGMA * (normal - 3.0))))


@njit(cache=True)
def row(side: int) -> int:
    """Where a side's figures are."""
    return 0 if side == 1 else 1


@njit(cache=True)
def either(market: Market) -> int:
    """One of the two sides."""
    return 1 if uniform(market) < 0.5 else -1


@njit(cache=True)
def tell(market: Market, kind: int, side: int, price: int, size: int) -> None:
    """Write an event down; those past the end of the day are only counted."""
    at = market.told[0]
    if at < len(market.events):
        event = market.events[at]
        event.kind = kind
        event.side = side
        event.px = price
        event.qty = size
    market.told[0] = at + 1


@njit(cache=True)
def put(market: Market, side: int, price: int, size: int) -> None:
    """Set a level to a size, and tell."""
    market.sizes[row(side), price] = size
    tell(market, DEPTH, side, price, size)


@njit(cache=True)
def refit(market: Market, side: int) -> None:
    """After the best price moved: drop what is now too far from it, fill up the far end."""
    sizes, best = market.sizes[row(side)], market.best[row(side)]
    for distance in range(LEVELS, 2 * LEVELS):
        if sizes[best - side * distance] > 0:
            put(market, side, best - side * distance, 0)
    for distance in range(LEVELS - 1, LEVELS - 1 - TAIL, -1):
        if sizes[best - side * distance] == 0:
            put(market, side, best - side * distance, drawn_size(market, 900))


@njit(cache=True)
def retreat(market: Market, side: int) -> None:
    """The best level is gone: the next one behind it is the best now."""
    best = market.best[row(side)] - side
    while market.sizes[row(side), best] == 0:
        best -= side
    market.best[row(side)] = best
    refit(market, side)


@njit(cache=True)
def advance(market: Market, side: int) -> None:
    """Someone narrows the spread by a tick."""
    market.best[row(side)] += side
    put(market, side, market.best[row(side)], drawn_size(market, 300))
    refit(market, side)


@njit(cache=True)
def resize(market: Market, side: int) -> None:
    """A level changes its size, the nearer the likelier; a few behind the best are removed."""
    distance = min(LEVELS - 1, exponential(market, -8.0))
    gone = distance > 0 and uniform(market) < 0.04
    size = 0 if gone else drawn_size(market, 500 + 20 * distance)
    put(market, side, market.best[row(side)] - side * distance, size)


@njit(cache=True)
def trade(market: Market) -> None:
    """A print at the best price, and what it leaves there."""
    taker = either(market)
    maker = -taker
    price = market.best[row(maker)]
    shown = market.sizes[row(maker), price]
    eaten = min(shown, drawn_size(market, 25))
    tell(market, TRADE, taker, price, eaten)
    put(market, maker, price, shown - eaten)
    if shown == eaten:
        retreat(market, maker)


@njit(cache=True)
def update(market: Market) -> None:
    """One change of the book that is no trade."""
    side = either(market)
    chance = uniform(market)
    spread = market.best[1] - market.best[0]
    if chance < 0.25 and spread > 1:
        advance(market, side)
    elif chance > 0.97 and spread < SPREAD_MAX:
        put(market, side, market.best[row(side)], 0)
        retreat(market, side)
    else:
        resize(market, side)


@njit(cache=True)
def message(market: Market) -> None:
    """A trade with its consequence, or one to twelve updates."""
    if uniform(market) < TRADES:
        trade(market)
        return
    updates = 1
    while updates < MESSAGE_UPDATES_MAX and uniform(market) < 0.55:
        updates += 1
    for _ in range(updates):
        update(market)


@njit(cache=True)
def snapshot(market: Market) -> None:
    """The opening book, both sides from the best level outwards."""
    for distance in range(LEVELS):
        put(market, 1, FIRST_BID - distance, drawn_size(market, 500 + 20 * distance))
        put(market, -1, FIRST_BID + 1 + distance, drawn_size(market, 500 + 20 * distance))


@njit(cache=True)
def play(market: Market) -> None:
    """Message after message until the day is full; each is stamped once it is complete."""
    events = market.events
    at, heard, begun, number = OPENS_NS, OPENS_NS, 0, 0
    snapshot(market)
    while True:
        heard = max(heard, at + TRANSIT_NS + exponential(market, JITTER_NS))
        ended = min(market.told[0], len(events))
        for i in range(begun, ended):
            events[i].exch_ts = at
            events[i].local_ts = heard
            events[i].msg = number
        events[ended - 1].last = 1
        if ended == len(events):
            return
        begun = ended
        number += 1
        mean = BURST if uniform(market) < 0.7 else LULL
        at += 1 + exponential(market, -mean * MESSAGE_GAP_NS)
        message(market)


def generate(count: int = COUNT) -> Events:
    """The first `count` events of the day."""
    market = Market(
        events=np.zeros(count, EVENT),
        told=np.zeros(1, np.int64),
        sizes=np.zeros((2, 2 * FIRST_BID), np.int64),
        best=np.array([FIRST_BID, FIRST_BID + 1], np.int64),
        dice=np.array([SEED], np.uint64),
    )
    play(market)
    return market.events


def digest(events: Events) -> str:
    """SHA-256 of the events' bytes."""
    return hashlib.sha256(events.tobytes()).hexdigest()


def stored(folder: Path, count: int = COUNT) -> Path:
    """The day as a file under `folder`, made on first use; a known digest is insisted on."""
    path = folder / f"workload-{count}.npy"
    if not path.exists():
        events = generate(count)
        found, wanted = digest(events), DIGESTS.get(count)
        assert wanted in (None, found), f"{count} events have digest {found}, not {wanted}"
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, events)
        partial.replace(path)
    return path
