"""Questions to a venue's public side: within a budget, tried again later each time, limits told.

A question is not lost: `answer` asks until there is an answer. What the venue wants us to wait is
waited, and a limit that it set is a fact.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final, Protocol

import aiohttp
import msgspec

from mm.events.units import SECONDS, Nanos
from mm.events.venue import RateLimited
from mm.gateways.asking import ask
from mm.gateways.backoff import Backoff
from mm.gateways.market_port import Frame, Request
from mm.gateways.verdicts import VenueSaid, Verdict

ASKS_MAX: Final = 8
"""Questions under way at once; others wait for their turn."""
LIMITS: Final = (Verdict.RATE_LIMITED, Verdict.BANNED)


class Budget(Protocol):
    """How much may be asked: a limiter of the account's calls, or of the address's."""

    async def take(self, weight: int) -> None:
        """Return once a question of this weight may leave."""
        ...

    def block(self, until: Nanos) -> None:
        """The venue wants nothing before then."""
        ...


class Unlimited:
    """No budget: the venue's refusals alone hold us back."""

    async def take(self, weight: int) -> None:
        """At once."""

    def block(self, until: Nanos) -> None:
        """Whoever asked waits by itself."""


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed needs of the world; `now` stamps what is heard, `chance` spreads delays."""

    session: aiohttp.ClientSession
    now: Callable[[], Nanos] = lambda: Nanos(time.time_ns())
    chance: random.Random = msgspec.field(default_factory=random.Random)
    budget: Budget = Unlimited()


class Questions:
    """All questions of one feed; `limited` hears of the venue's limits."""

    def __init__(
        self, venue: str, outside: Outside, limited: Callable[[RateLimited], None]
    ) -> None:
        """Nothing is under way."""
        self._venue = venue
        self._outside = outside
        self._limited = limited
        self._room = asyncio.Semaphore(ASKS_MAX)
        self.wait = 0.0
        """Seconds that the venue asked for when it last refused."""

    def backoff(self) -> Backoff:
        """Delays of somebody who tries again."""
        return Backoff(self._outside.chance)

    async def ask(self, request: Request) -> Frame | None:
        """One try; None where there was no good answer."""
        await self._outside.budget.take(request.weight)
        try:
            return await ask(self._outside.session, request, self._outside.now)
        except VenueSaid as said:
            self.wait = said.retry_after
            self.hold(request.channel, said)
            return None

    async def answer(self, request: Request) -> Frame:
        """Ask until there is an answer."""
        backoff = self.backoff()
        async with self._room:
            while (frame := await self.ask(request)) is None:  # noqa: ASYNC110  It asks again.
                await asyncio.sleep(backoff.seconds(self.wait))
        return frame

    def hold(self, endpoint: str, said: VenueSaid) -> None:
        """Where the venue limits us, no question leaves before its time, and that is told."""
        if said.verdict not in LIMITS:
            return
        received = self._outside.now()
        until = Nanos(received + int(said.retry_after * SECONDS))
        self._outside.budget.block(until)
        self._limited(
            RateLimited(
                venue=self._venue,
                endpoint=endpoint,
                until=until,
                banned=said.verdict is Verdict.BANNED,
                raw_code=said.raw_code,
                received=received,
            )
        )
