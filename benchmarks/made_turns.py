"""Turns as sessions make them, from a seed: what the log's benchmarks write and read.

`live` is a session on a depth feed: mostly one delta of a few levels a turn, 5.6 events counting
levels, and every fiftieth turn places an order. `full` turns hold 192 quotes, as many facts as one
turn takes when events come faster than appends.
"""

import random
from collections.abc import Iterator

from mm.events.market import BookDelta, QuoteUpdated, TradePrinted
from mm.events.orders import PlaceOrder
from mm.events.turn import TURN_FACTS_MAX
from mm.events.units import InstrumentId, Lots, Nanos, OrderId, Seq, Side, Ticks
from mm.events.vocabulary import Decision, Fact, levels_in
from mm.log.chain import START, Head, Sealed, advance, seal

AT = 1_760_000_000_000_000_000
POOL = 5_000
LEVELS = (1, 2, 3, 5, 6, 8, 12)
BTC = InstrumentId(0)


def delta(chance: random.Random, number: int) -> Fact:
    """A depth update of 1 to 12 levels."""
    levels = chance.choice(LEVELS)
    flat = [
        value
        for _ in range(levels)
        for value in (chance.randrange(600_000, 640_000), chance.randrange(50_000_000))
    ]
    half = levels // 2 * 2
    return BookDelta(
        instrument=BTC,
        received=Nanos(AT + number),
        venue_time=Nanos(AT + number - 2_000_000),
        first=5_123_107_839_020 + 7 * number,
        last=5_123_107_839_026 + 7 * number,
        previous=5_123_107_839_019 + 7 * number,
        bids=tuple(flat[:half]),
        asks=tuple(flat[half:]),
    )


def trade(chance: random.Random, number: int) -> Fact:
    """A public trade."""
    return TradePrinted(
        instrument=BTC,
        received=Nanos(AT + number),
        venue_time=Nanos(AT + number - 2_000_000),
        trade_id=str(5_266_583_935 + number),
        price=Ticks(chance.randrange(600_000, 640_000)),
        size=Lots(chance.randrange(1, 100_000)),
        aggressor=chance.choice((Side.BUY, Side.SELL)),
    )


def quote(chance: random.Random, number: int) -> Fact:
    """A best quote."""
    bid = chance.randrange(600_000, 640_000)
    return QuoteUpdated(
        instrument=BTC,
        received=Nanos(AT + number),
        venue_time=Nanos(AT + number - 2_000_000),
        sequence=5_123_107_839_020 + number,
        bid=Ticks(bid),
        bid_size=Lots(chance.randrange(1, 100_000)),
        ask=Ticks(bid + 1),
        ask_size=Lots(chance.randrange(1, 100_000)),
    )


def place(head: Head) -> Decision:
    """An order placed on the turn's first event."""
    return PlaceOrder(
        order_id=OrderId(f"maker_main_{head.at // 10**6}_{head.number + 1:x}00"),
        instrument=BTC,
        side=Side.BUY,
        price=Ticks(618_000),
        size=Lots(100),
        strategy="maker",
        wallet="main",
        cause=Seq(head.events + 1),
        reason="requote",
    )


def live(events: int, seed: int = 1) -> Iterator[tuple[Sealed, int]]:
    """Small turns until there are so many events; each with the number of its events."""
    chance = random.Random(seed)
    pool = [
        (delta(chance, number), trade(chance, number)) if number % 6 == 0
        else (delta(chance, number),)
        for number in range(POOL)
    ]  # fmt: skip
    counts = [sum(map(levels_in, facts)) for facts in pool]
    head, done = START, 0
    while done < events:
        at = Nanos(AT + head.number * 1_000_000)
        decisions = [place(head)] if head.number % 50 == 0 else []
        sealed = seal(head, at, pool[head.number % POOL], decisions)
        count = counts[head.number % POOL] + len(decisions)
        head, done = advance(head, sealed), done + count
        yield sealed, count


def full(events: int, seed: int = 1) -> Iterator[tuple[Sealed, int]]:
    """Turns of as many quotes as fit."""
    chance = random.Random(seed)
    pool = [quote(chance, number) for number in range(POOL + TURN_FACTS_MAX)]
    head, done = START, 0
    while done < events:
        start = head.number * TURN_FACTS_MAX % POOL
        at = Nanos(AT + head.number * 1_000_000)
        sealed = seal(head, at, pool[start : start + TURN_FACTS_MAX], [])
        head, done = advance(head, sealed), done + TURN_FACTS_MAX
        yield sealed, TURN_FACTS_MAX


MIXES = {"live": live, "full": full}
