"""A venue's list of instruments, asked for from time to time: what changed there is told.

A filter or a minimum that changed is a new revision. Another tick or lot cannot go on under the
same id: that market is down until a person takes another desk, and so is one that is closed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mm.errors import BadInput, ConfigError
from mm.events.instrument import InstrumentDefined
from mm.events.market import FeedDown, FeedUp
from mm.events.session import NoteTaken
from mm.events.units import SECONDS, InstrumentId, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.market_port import Frame, MarketPort
from mm.gateways.questions import Questions

LISTING: Final = "listing"
OTHER_STEPS: Final = "its tick or lot is another now: stop, and take another desk"
REASON_MAX: Final = 200

Tell = Callable[[Nanos, Sequence[Fact]], None]
Lose = Callable[[InstrumentId, Nanos, str], list[Fact]]


class ListingWatch:
    """What was last told of each instrument."""

    def __init__(
        self,
        port: MarketPort,
        instruments: tuple[InstrumentDefined, ...],
        now: Callable[[], Nanos],
        tell: Tell,
        lose: Lose,
    ) -> None:
        """All are open; `lose` gives the books of an instrument up, as who folds its end does."""
        self.instruments = instruments
        self._port = port
        self._now = now
        self._tell = tell
        self._lose = lose
        self._closed: dict[InstrumentId, str] = {}
        self._changed: dict[InstrumentId, str] = {}

    async def run(self, questions: Questions, every: Nanos) -> None:
        """Ask for ever."""
        while True:
            await asyncio.sleep(every / SECONDS)
            answers = [await questions.answer(each) for each in self._port.definitions()]
            self.learn(tuple(answers))

    def learn(self, answers: tuple[Frame, ...]) -> None:
        """Take a list in; one that cannot be read changes nothing and is noted."""
        symbols = tuple(each.symbol for each in self.instruments)
        try:
            self.tell_closed(self._port.closed(answers, self.instruments))
            self._revise(self._port.instruments(answers, symbols))
        except (BadInput, ConfigError) as error:
            text = f"the list of instruments: {error}"[:REASON_MAX]
            self._tell(self._now(), (NoteTaken(who=self._port.venue, text=text),))

    def tell_closed(self, closed: dict[InstrumentId, str]) -> None:
        """Markets that closed are down, and those that opened again are up."""
        at = self._now()
        for each in self.instruments:
            number = each.instrument
            reason = self._changed.get(number) or closed.get(number, "")
            if reason == self._closed.get(number, ""):
                continue
            self._closed[number] = reason
            if not reason:
                up = FeedUp(instrument=number, received=at, channel=LISTING)
                self._tell(at, (up,))
                continue
            down = FeedDown(instrument=number, received=at, channel=LISTING, reason=reason)
            self._tell(at, (down, *self._lose(number, at, reason)))

    def _revise(self, found: tuple[InstrumentDefined, ...]) -> None:
        at, revised = self._now(), []
        for before, listed in zip(self.instruments, found, strict=True):
            now = msgspec.structs.replace(listed, revision=before.revision)
            if now.identity != before.identity:
                self._changed[before.instrument] = OTHER_STEPS
                now = before
            elif now != before:
                now = msgspec.structs.replace(now, revision=before.revision + 1)
                self._tell(at, (now,))
            revised.append(now)
        self.instruments = tuple(revised)
        if self._changed:
            self.tell_closed(self._closed)
