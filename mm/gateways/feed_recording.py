"""A feed becomes a recording: each message one turn, as it was received.

The instruments stand first. With a pace the feed's own time sets when a message is taken; the
recording is the same at every pace.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from mm.events.instrument import InstrumentDefined
from mm.events.units import SECONDS, Nanos
from mm.gateways.base import Feed, Message
from mm.gateways.recorder import Recorder
from mm.gateways.totals import Totals

NAP_SECONDS_MAX: Final = 0.1
"""A stop is heard within this time, however long nothing is due."""


class Pace:
    """When a message is due, counted from the first one, `speed` times as fast as then."""

    def __init__(self, speed: float) -> None:
        """Start at the first message."""
        assert speed > 0, "time runs forward"
        self._speed = speed
        self._first = Nanos(0)
        self._origin = 0.0

    def seconds_until(self, received: Nanos) -> float:
        """Real seconds until a message is due; zero or less when it is late."""
        if not self._first:
            self._first, self._origin = received, time.monotonic()
        due = self._origin + (received - self._first) / (SECONDS * self._speed)
        return due - time.monotonic()


class Recorded:
    """Messages on their way into a recording, totals beside."""

    def __init__(self, recorder: Recorder, instruments: Sequence[InstrumentDefined]) -> None:
        """Count for these instruments."""
        self._recorder = recorder
        self._totals = {each.instrument: Totals(each) for each in instruments}

    def take(self, message: Message) -> None:
        """Record a message and count it."""
        self._recorder.turn(message.received, message.facts)
        heard = []
        for fact in message.facts:
            totals = self._totals.get(getattr(fact, "instrument", None))  # type: ignore[arg-type]
            if totals is None:
                continue
            totals.add(fact)
            if totals not in heard:
                heard.append(totals)
                totals.message(message.received)

    def report(self) -> list[dict[str, Any]]:
        """The figures of every instrument."""
        return [each.report() | each.book_report() for each in self._totals.values()]


class FeedRecording:
    """Feed in, turns out, totals beside."""

    def __init__(self, feed: Feed, duration: Nanos | None, pace: Pace | None = None) -> None:
        """Record `duration` of the feed's time from its first message on, or all of it.

        Without a pace messages are taken as fast as they can be worked off.
        """
        self._feed = feed
        self._duration = duration
        self._pace = pace
        self._recorded: Recorded | None = None
        self.stopped = False

    def stop(self) -> None:
        """End after the message under way; what was recorded stays."""
        self.stopped = True

    def run(self, recorder: Recorder, advance: Callable[[float], None]) -> None:
        """Record until the feed or the duration ends or `stop`; `advance` hears of seconds."""
        self._recorded = recorded = Recorded(recorder, self._feed.instruments)
        last, end = Nanos(0), None
        for message in self._feed.messages(Nanos(0)):
            if not last:
                recorder.turn(message.received, self._feed.instruments)
                last = message.received
                end = None if self._duration is None else last + self._duration
            if end is not None and message.received > end:
                return
            self._wait(message.received)
            if self.stopped:
                return
            recorded.take(message)
            advance((message.received - last) / SECONDS)
            last = message.received

    def _wait(self, received: Nanos) -> None:
        if self._pace is None:
            return
        while not self.stopped and (seconds := self._pace.seconds_until(received)) > 0:
            time.sleep(min(seconds, NAP_SECONDS_MAX))

    def report(self) -> list[dict[str, Any]]:
        """The figures of every instrument."""
        return [] if self._recorded is None else self._recorded.report()
