"""A seeded market that never was: endless, never crossed, the same for the same seed everywhere.

Each message holds the trades of one moment, then the book delta they caused, then the best quote
if it changed; once a second come mark, index and funding. Messages come at an uneven pace, and now
and then a burst multiplies it and pushes the price one way. See `mm.sim.crowd` for who trades.
"""

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from mm.errors import ConfigError
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    FeedUp,
    FundingPublished,
    IndexPublished,
    MarkPublished,
    QuoteUpdated,
    TradePrinted,
)
from mm.events.units import MICROS, MILLIS, SECONDS, InstrumentId, Lots, Nanos, Side, Ticks, steps
from mm.events.vocabulary import Market
from mm.sim.crowd import FINE, Crowd, Print, noise

Message = tuple[Nanos, tuple[Market, ...]]

PACE_MAX: Final = 100_000
LEVELS_MIN: Final = 5
LEVELS_MAX: Final = 1_000
VOLATILITY_BPS_MAX: Final = 100
BURST_PACE: Final = 6
BURST_EVERY: Final = 20 * SECONDS
BURST_LASTS: Final = SECONDS // 2
RATE_USUAL: Final = 10_000
"""The funding rate in units of 1e-8: one basis point an interval."""


class SyntheticSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One instrument and its temper; `volatility_bps` is per square root of a calm second.

    `level_size` is the typical size of a level, in base units (contracts for inverse); a
    `funding_interval` of 0 nanoseconds means that there is no funding.
    """

    symbol: str = "BTC-USDT"
    kind: ContractKind = ContractKind.LINEAR
    base: str = "BTC"
    quote: str = "USDT"
    price: Decimal = Decimal(60_000)
    tick_size: Decimal = Decimal(1)
    lot_size: Decimal = Decimal("0.001")
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    messages_per_second: int = 300
    volatility_bps: Decimal = Decimal("0.5")
    levels: int = 40
    level_size: Decimal = Decimal(1)
    funding_interval: Nanos = Nanos(8 * 3600 * SECONDS)


def validate(settings: SyntheticSettings) -> None:
    """Refuse a market that cannot be; raises `ConfigError` naming the field."""
    for name in ("price", "tick_size", "lot_size", "level_size"):
        number: Decimal = getattr(settings, name)
        _require(number.is_finite() and number > 0, name, f"{number} must be above zero")
    _within("messages_per_second", settings.messages_per_second, 1, PACE_MAX)
    _within("levels", settings.levels, LEVELS_MIN, LEVELS_MAX)
    _within("volatility_bps", settings.volatility_bps, 0, VOLATILITY_BPS_MAX)
    _require(settings.funding_interval >= 0, "funding_interval", "it may not be negative")
    ticks = steps(settings.price, settings.tick_size)
    _require(ticks is not None, "price", f"{settings.price} is not a whole number of ticks")
    far = ticks is not None and ticks > 10 * settings.levels
    _require(far, "price", f"{settings.price} is too near to zero for {settings.levels} levels")
    lots = steps(settings.level_size, settings.lot_size)
    _require(lots is not None, "level_size", f"{settings.level_size} is not a whole number of lots")


def _within(field: str, number: int | Decimal, least: int, most: int) -> None:
    holds = Decimal(number).is_finite() and least <= number <= most
    _require(holds, field, f"{number} is not within {least} to {most}")


def _require(holds: bool, field: str, what: str) -> None:  # noqa: FBT001 (it is the predicate)
    if not holds:
        raise ConfigError(
            f"{field}: {what}", where=f"synthetic.{field}", remedy="correct the market's settings"
        )


class SyntheticMarket:
    """One market, chosen by settings, seed and start; `messages` always tells the same story."""

    def __init__(self, settings: SyntheticSettings, seed: int, start: Nanos) -> None:
        """Nothing is drawn yet; raises `ConfigError`."""
        validate(settings)
        self._settings = settings
        self._seed = seed
        self._start = start
        self.instrument = _instrument(settings)

    def messages(self) -> Iterator[Message]:
        """Time received and what was received then: a snapshot first, then without end."""
        return _Run(self._settings, self._seed, self._start).messages()


def _instrument(settings: SyntheticSettings) -> InstrumentDefined:
    inverse = settings.kind is ContractKind.INVERSE
    spot = settings.kind is ContractKind.SPOT
    return InstrumentDefined(
        instrument=InstrumentId(1),
        venue="synthetic",
        symbol=settings.symbol,
        kind=settings.kind,
        base=settings.base,
        quote=settings.quote,
        settle=settings.base if inverse else settings.quote,
        tick_size=settings.tick_size,
        lot_size=settings.lot_size,
        maker_fee=settings.maker_fee,
        taker_fee=settings.taker_fee,
        funding_interval=Nanos(0) if spot else settings.funding_interval,
    )


class _Run:
    """The market while it runs: its clock, and the crowd's doings as events."""

    def __init__(self, settings: SyntheticSettings, seed: int, start: Nanos) -> None:
        ticks = steps(settings.price, settings.tick_size) or 0
        lots = steps(settings.level_size, settings.lot_size) or 1
        swing = int(settings.volatility_bps * ticks * FINE / 10_000)
        self._settings = settings
        self._id = InstrumentId(1)
        self._crowd = Crowd(Random(seed), ticks, lots, settings.levels)
        self._unrest = noise(swing, settings.messages_per_second)
        self._now = start
        self._received = start
        self._second = Nanos((start // SECONDS + 1) * SECONDS)
        self._burst_ends = 0
        self._burst_push = 0
        self._top = (0, 0, 0, 0)
        self._sequence = 1
        self._trades = 0
        self._rate = RATE_USUAL

    def messages(self) -> Iterator[Message]:
        """Endless; see `SyntheticMarket.messages`."""
        self._arrive()
        yield self._received, self._opening()
        while True:
            self._now = Nanos(self._now + self._gap())
            while self._second <= self._now:
                self._arrive()
                yield self._received, self._valuation(self._second)
                self._second = Nanos(self._second + SECONDS)
            self._arrive()
            facts = self._step()
            if facts:
                yield self._received, facts

    def _arrive(self) -> None:
        """The time the next message reaches us: a little later than it happens, and in order."""
        draw = self._crowd.draw
        latency = 200 * MICROS + draw(1 + draw(2 * MILLIS))
        self._received = Nanos(max(self._received + 1, self._now + latency))

    def _gap(self) -> int:
        """Nanoseconds to the next message: skewed, so that some come in a bunch."""
        pace, draw = self._settings.messages_per_second, self._crowd.draw
        if self._now < self._burst_ends:
            pace *= BURST_PACE
        elif not draw(max(1, pace * BURST_EVERY // SECONDS)):
            self._burst_ends = self._now + BURST_LASTS // 2 + draw(BURST_LASTS)
            self._burst_push = (draw(2) * 2 - 1) * (1 + self._unrest // 4)
        share = draw(1 << 16)
        return 1 + 20 * SECONDS // (19 * pace) * 3 * share * share // (1 << 32)

    def _opening(self) -> tuple[Market, ...]:
        snapshot = BookSnapshot(
            instrument=self._id,
            received=self._received,
            venue_time=self._now,
            sequence=self._sequence,
            bids=self._crowd.told(Side.BUY),
            asks=self._crowd.told(Side.SELL),
        )
        up = FeedUp(instrument=self._id, received=self._received, channel="synthetic")
        return (up, snapshot, *self._quote(), *self._valuation(self._now))

    def _step(self) -> tuple[Market, ...]:
        push = self._burst_push if self._now < self._burst_ends else 0
        trades = self._crowd.step(self._unrest, push)
        return (*map(self._print, trades), *self._delta(), *self._quote())

    def _print(self, trade: Print) -> TradePrinted:
        self._trades += 1
        aggressor, price, size = trade
        return TradePrinted(
            instrument=self._id,
            received=self._received,
            venue_time=self._now,
            trade_id=str(self._trades),
            price=Ticks(price),
            size=Lots(size),
            aggressor=aggressor,
        )

    def _delta(self) -> tuple[Market, ...]:
        bids, asks = self._crowd.told(Side.BUY), self._crowd.told(Side.SELL)
        if not bids and not asks:
            return ()
        previous = self._sequence
        self._sequence += (len(bids) + len(asks)) // 2
        delta = BookDelta(
            instrument=self._id,
            received=self._received,
            venue_time=self._now,
            first=previous + 1,
            last=self._sequence,
            previous=previous,
            bids=bids,
            asks=asks,
        )
        return (delta,)

    def _quote(self) -> tuple[Market, ...]:
        """The best bid and offer, if they are not the last ones told."""
        if self._crowd.top == self._top:
            return ()
        self._top = bid, bid_size, ask, ask_size = self._crowd.top
        quote = QuoteUpdated(
            instrument=self._id,
            received=self._received,
            venue_time=self._now,
            sequence=self._sequence,
            bid=Ticks(bid),
            bid_size=Lots(bid_size),
            ask=Ticks(ask),
            ask_size=Lots(ask_size),
        )
        return (quote,)

    def _valuation(self, at: Nanos) -> tuple[Market, ...]:
        """Mark, index and funding rate; spot has an index only."""
        tick, fair = self._settings.tick_size, self._crowd.fair
        near = fair + self._crowd.draw(FINE) - FINE // 2
        index = IndexPublished(
            instrument=self._id,
            received=self._received,
            venue_time=at,
            price=near * tick / FINE,
        )
        if self._settings.kind is ContractKind.SPOT:
            return (index,)
        mark = MarkPublished(
            instrument=self._id,
            received=self._received,
            venue_time=at,
            price=fair * tick / FINE,
        )
        return (mark, index, *self._funding(at))

    def _funding(self, at: Nanos) -> tuple[Market, ...]:
        interval = self._settings.funding_interval
        if not interval:
            return ()
        self._rate += self._crowd.draw(201) - 100 + (RATE_USUAL - self._rate) // 100
        published = FundingPublished(
            instrument=self._id,
            received=self._received,
            venue_time=at,
            rate=Decimal(self._rate).scaleb(-8),
            due=Nanos((at // interval + 1) * interval),
        )
        return (published,)
