"""What was heard and is not yet in a turn: bounded, in order, with the time each fact came in.

A recorded feed waits for room (`put`); a live one may not wait and is told that there is none
(`offer`), so that it can say `FeedGapped` instead of losing data silently. Private facts have room
of their own and are never refused.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from mm.events.account import BalanceReported
from mm.events.market import BookDelta, BookSnapshot
from mm.events.turn import TURN_FACTS_MAX, TURN_LEVELS_MAX
from mm.events.units import Nanos
from mm.events.vocabulary import Fact

INBOX_FACTS_MAX: Final = 20_000
PRIVATE_FACTS_MAX: Final = 50_000
ENDED_POLL_SECONDS: Final = 0.02


class Heard(NamedTuple):
    """A fact, its log time, and the monotonic time at which it was received."""

    at: Nanos
    fact: Fact
    arrived: int


def whole(facts: Sequence[Fact], room: int) -> int:
    """How many of these facts go into a turn with this room: no fill without its balances.

    They follow it; a crash between two turns would leave a fill on the log that cost nothing.
    """
    most = count = min(room, len(facts))
    while 0 < count < len(facts) and isinstance(facts[count], BalanceReported):
        count -= 1
    return most if count == 0 and most and isinstance(facts[0], BalanceReported) else count


class Inbox:
    """Market facts and private facts, each in the order in which they came."""

    def __init__(self, facts_max: int = INBOX_FACTS_MAX) -> None:
        """Start empty."""
        self._market: deque[Heard] = deque()
        self._private: deque[Fact] = deque()
        self._facts_max = facts_max
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.ended = False
        self.high_water = 0

    def __len__(self) -> int:
        """Facts waiting."""
        return len(self._market) + len(self._private)

    async def put(self, at: Nanos, facts: tuple[Fact, ...]) -> None:
        """Add a message's facts, waiting for room."""
        while not self._fits(facts):
            self._room.clear()
            self._filled.set()
            await self._room.wait()
        self._add(at, facts)

    def offer(self, at: Nanos, facts: tuple[Fact, ...]) -> bool:
        """Add a message's facts unless there is no room; False means that they are lost."""
        if not self._fits(facts):
            return False
        self._add(at, facts)
        return True

    def tell(self, *facts: Fact) -> None:
        """Add private facts: answers, commands, timers of the edge."""
        self._private.extend(facts)
        assert len(self._private) <= PRIVATE_FACTS_MAX, "private facts are not worked off"
        self._filled.set()

    def end(self) -> None:
        """The feed has nothing more to say."""
        self.ended = True
        self._filled.set()

    def _fits(self, facts: tuple[Fact, ...]) -> bool:
        """Whether there is room; an empty inbox has room for any message."""
        return not self._market or len(self._market) + len(facts) <= self._facts_max

    def _add(self, at: Nanos, facts: tuple[Fact, ...]) -> None:
        arrived = time.monotonic_ns()
        self._market.extend([Heard(at, fact, arrived) for fact in facts])
        self.high_water = max(self.high_water, len(self._market))
        self._filled.set()

    @property
    def next_at(self) -> Nanos | None:
        """The log time of the first market fact waiting."""
        return self._market[0].at if self._market else None

    @property
    def has_private(self) -> bool:
        """Whether private facts wait."""
        return bool(self._private)

    async def filled(self, seconds: float | None) -> None:
        """Wait until something is there, or the feed has ended, or the time is up."""
        if len(self) or (seconds is not None and seconds <= 0):
            return
        if self.ended:
            await asyncio.sleep(min(seconds or ENDED_POLL_SECONDS, ENDED_POLL_SECONDS))
            return
        self._filled.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._filled.wait()
        except TimeoutError:
            return

    async def gathered(self, span: Nanos, count: int) -> None:
        """Wait until a feed without a pace has given all that a turn can take.

        That is what it received within `span` of its next message, at most `count` facts, or what
        it had left. So the turns do not depend on how fast the feed or the log happened to be, as
        long as there is room for `count`; where there is none, a full inbox has to do.
        """
        while not (self.ended or len(self._market) >= count or not self._room.is_set()):
            if self._market and self._market[-1].at > self._market[0].at + span:
                return
            self._filled.clear()
            await self._filled.wait()

    def take(
        self, until: Nanos | None, room: int = TURN_FACTS_MAX
    ) -> tuple[list[Fact], int, Nanos]:
        """Private facts first, then market facts up to log time `until`, within a turn's bounds.

        Returns the facts, when the first market fact arrived (monotonic; 0: none) and the log
        time of the last market fact taken (0: none).
        """
        private = self._private
        facts = [private.popleft() for _ in range(whole(private, room))]
        levels, arrived, last = 0, 0, Nanos(0)
        market = self._market
        while market and len(facts) < room and (until is None or market[0].at <= until):
            fact = market[0].fact
            if isinstance(fact, BookDelta | BookSnapshot):
                levels += (len(fact.bids) + len(fact.asks)) // 2
                if levels > TURN_LEVELS_MAX and facts:
                    break
            heard = market.popleft()
            arrived = arrived or heard.arrived
            last = heard.at
            facts.append(fact)
        self._room.set()
        return facts, arrived, last
