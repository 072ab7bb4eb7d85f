"""Pairs kept current: sources asked in order, what jumps doubted, what is old told as stale.

The first source whose quote is believed counts. A quote that lies further from the last one than
`jump_max_bps` is believed only if another source says so too, or once the last one has expired.
Every quote that is believed is a fact; why one was not, and that a pair has gone stale, is noted on
the log once, and again when the reason changes.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import aiohttp
import msgspec

from mm.errors import BadInput
from mm.events.market import ReferenceRatePublished
from mm.events.session import NoteTaken
from mm.events.units import EXACT, SECONDS, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.asking import ask
from mm.gateways.market_port import Request
from mm.gateways.overload import Offer, Owed
from mm.gateways.reference.answers import MaxTicker, OpenRates
from mm.gateways.reference.quote import (
    DOCUMENT,
    Pair,
    RateQuote,
    ReferenceRateProvider,
    Source,
    digest,
)
from mm.gateways.reference.tables import BankOfTaiwan, Taifex
from mm.gateways.verdicts import VenueSaid

SOURCES: Final[dict[str, Source]] = {
    each.name: each for each in (BankOfTaiwan(), Taifex(), OpenRates(), MaxTicker())
}
BPS: Final = Decimal(10_000)
AHEAD_MAX: Final = Nanos(24 * 3_600 * SECONDS)
"""A rate of tomorrow is damage: the day's figure may lie some hours ahead, not a day."""
TEXT_MAX: Final = 300

Now = Callable[[], Nanos]


class RateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How often sources are asked, how long a quote counts after it was heard, how old it may be.

    `jump_max_bps` is how far a quote may lie from the last one, in basis points.
    """

    poll_every: Nanos = Nanos(60 * SECONDS)
    valid_for: Nanos = Nanos(3_600 * SECONDS)
    age_max: Nanos = Nanos(96 * 3_600 * SECONDS)
    jump_max_bps: int = 200


def wall() -> Nanos:
    """The wall clock, which documents are dated by."""
    return Nanos(time.time_ns())


class Provider:
    """One source's rate of one pair."""

    def __init__(
        self, source: Source, pair: Pair, session: aiohttp.ClientSession, now: Now = wall
    ) -> None:
        """Ask nothing yet; raises `ConfigError` for a pair that the source does not publish."""
        self._source = source
        self._pair = pair
        self._session = session
        self._now = now
        self._request = Request(channel=source.name, url=source.url(pair))

    @property
    def name(self) -> str:
        """The source's."""
        return self._source.name

    async def fetch(self) -> RateQuote:
        """The quote as of now; raises `VenueSaid` without an answer, `BadInput` for a bad one."""
        frame = await ask(self._session, self._request, self._now)
        told = self._source.read(self._pair, frame.body)
        return RateQuote(
            pair=self._pair,
            bid=told.bid,
            ask=told.ask,
            kind=told.kind,
            source=self._source.name,
            quoted_at=told.quoted_at,
            received_at=frame.received,
            raw_sha=digest(frame.body),
        )


class PairRate:
    """What is believed of one pair; changes in place."""

    def __init__(
        self, pair: Pair, providers: Sequence[ReferenceRateProvider], settings: RateSettings
    ) -> None:
        """Know nothing yet."""
        self.pair = pair
        self.last: RateQuote | None = None
        self._providers = providers
        self._settings = settings
        self._noted: dict[str, str] = {}
        self._held: dict[int, Nanos] = {}

    def stale(self, at: Nanos) -> bool:
        """Whether there is no rate to rely on."""
        return self.last is None or at > self.last.valid_until

    async def look(self, now: Now) -> list[Fact]:
        """Ask the sources in order until one is believed; what is to be told of it."""
        facts: list[Fact] = []
        doubted: list[RateQuote] = []
        for number, provider in enumerate(self._providers, 1):
            place = f"source {number}"
            if now() < self._held.get(number, 0):
                continue  # It has asked us to wait.
            try:
                quote = self._dated(await provider.fetch())
            except (VenueSaid, BadInput) as error:
                wait = error.retry_after if isinstance(error, VenueSaid) else 0.0
                self._held[number] = Nanos(now() + int(wait * SECONDS))
                facts += self._note(place, str(error))
                continue
            believed = self._believed(quote, doubted)
            if believed is not None:
                facts += self._note(place, "")
                facts += self._note("pair", "")
                return [*facts, self._published(believed)]
            doubted.append(quote)
            assert self.last is not None, "without a last quote nothing jumps"
            jumped = f"{quote.source} says {quote.mid}, the last was {self.last.mid}"
            facts += self._note(place, jumped)
        stale = "stale: no source has a rate to rely on" if self.stale(now()) else ""
        return facts + self._note("pair", stale)

    def _dated(self, quote: RateQuote) -> RateQuote:
        """A quote with its end; raises `BadInput` for one of another time."""
        settings, received = self._settings, quote.received_at
        until = received + settings.valid_for
        if quote.quoted_at:
            age = received - quote.quoted_at
            if not -AHEAD_MAX <= age <= settings.age_max:
                raise BadInput(
                    f"{quote.source}'s rate is {age // SECONDS:,} s old", remedy=DOCUMENT
                )
            until = min(until, quote.quoted_at + settings.age_max)
        return msgspec.structs.replace(quote, valid_until=Nanos(until))

    def _believed(self, quote: RateQuote, doubted: Sequence[RateQuote]) -> RateQuote | None:
        """The quote to take: this one, or an earlier one that it confirms; None to doubt it."""
        if self.stale(quote.received_at) or self.last is None or self._near(quote, self.last):
            return quote
        return next((each for each in doubted if self._near(quote, each)), None)

    def _near(self, one: RateQuote, other: RateQuote) -> bool:
        away = abs(EXACT.subtract(EXACT.divide(one.mid, other.mid), Decimal(1)))
        return away * BPS <= self._settings.jump_max_bps

    def _published(self, quote: RateQuote) -> Fact:
        self.last = quote
        return ReferenceRatePublished(
            base=self.pair.base,
            quote=self.pair.quote,
            received=quote.received_at,
            venue_time=quote.quoted_at,
            rate=quote.mid,
            source=quote.source,
            bid=quote.bid,
            ask=quote.ask,
            basis=quote.kind.value,
            valid_until=quote.valid_until,
            document=quote.raw_sha,
        )

    def _note(self, place: str, text: str) -> list[Fact]:
        """A remark where it is news; the end of a trouble is none, for then there is a rate."""
        if self._noted.get(place, "") == text:
            return []
        self._noted[place] = text
        who = f"reference {self.pair}, {place}"
        return [NoteTaken(who=who, text=text[:TEXT_MAX])] if text else []


class ReferenceFeed:
    """All pairs of a session; `run` ends only when it is cancelled."""

    def __init__(self, pairs: Sequence[PairRate], settings: RateSettings, now: Now = wall) -> None:
        """Ask nothing yet."""
        self._pairs = pairs
        self._settings = settings
        self._now = now

    async def run(self, offer: Offer) -> None:
        """Ask again and again; notes that find no room are owed."""
        owed = Owed(offer)
        while True:
            for pair in self._pairs:
                facts = await pair.look(self._now)
                if facts:
                    owed.tell(self._now(), facts)
            await asyncio.sleep(self._settings.poll_every / SECONDS)
