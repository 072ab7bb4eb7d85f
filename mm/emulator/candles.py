"""Candles of one instrument, folded from its trades: one minute by one, longer ones made of them.

Times are nanoseconds since 1970, and a candle opens at a whole multiple of its interval.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from mm.events.market import TradePrinted
from mm.events.units import SECONDS, Nanos, Side

MINUTE: Final = Nanos(60 * SECONDS)
KEPT_MAX: Final = 3 * 24 * 60
"""Minutes that can still be asked for."""


class Candle(msgspec.Struct, kw_only=True):
    """Prices in ticks, `volume` and `bought` (what takers bought) in lots; changes in place.

    `value` is the sum of price times size, in ticks times lots. `first` and `last` are trade ids.
    """

    opened: Nanos
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    bought: int = 0
    value: int = 0
    bought_value: int = 0
    trades: int = 0
    first: str = ""
    last: str = ""

    def add(self, other: "Candle") -> None:
        """Take a later one in."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close, self.last = other.close, other.last
        self.first = self.first or other.first
        self.volume += other.volume
        self.bought += other.bought
        self.value += other.value
        self.bought_value += other.bought_value
        self.trades += other.trades


class Candles:
    """The minutes of one instrument; changes in place."""

    def __init__(self) -> None:
        """Start without a trade."""
        self._minutes: deque[Candle] = deque(maxlen=KEPT_MAX)

    def add(self, trade: TradePrinted) -> None:
        """A trade happened."""
        at = trade.venue_time or trade.received
        opened = Nanos(at // MINUTE * MINUTE)
        taken = trade.size if trade.aggressor is Side.BUY else 0
        one = Candle(
            opened=opened,
            open=trade.price,
            high=trade.price,
            low=trade.price,
            close=trade.price,
            volume=trade.size,
            bought=taken,
            value=trade.price * trade.size,
            bought_value=trade.price * taken,
            trades=1,
            first=trade.trade_id,
            last=trade.trade_id,
        )
        if self._minutes and self._minutes[-1].opened >= opened:
            self._minutes[-1].add(one)
        else:
            self._minutes.append(one)

    def of(self, interval: Nanos) -> Iterator[Candle]:
        """Candles of an interval of whole minutes, oldest first; the last may still change."""
        made: Candle | None = None
        for minute in self._minutes:
            opened = Nanos(minute.opened // interval * interval)
            if made is not None and made.opened == opened:
                made.add(minute)
                continue
            if made is not None:
                yield made
            made = msgspec.structs.replace(minute, opened=opened)
        if made is not None:
            yield made

    def latest(self, interval: Nanos) -> Candle | None:
        """The candle of an interval that is under way."""
        if not self._minutes:
            return None
        opened = Nanos(self._minutes[-1].opened // interval * interval)
        found = self.since(opened)
        return found and msgspec.structs.replace(found, opened=opened)

    def since(self, at: Nanos) -> Candle | None:
        """One candle of all minutes that opened from a time on."""
        made: Candle | None = None
        for minute in reversed(self._minutes):
            if minute.opened < at:
                break
            earlier = msgspec.structs.replace(minute)
            if made is not None:
                earlier.add(made)
            made = earlier
        return made
