"""A venue's live feed becomes a recording, with or without the raw frames beside it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from mm.apps.clock import PacedClock
from mm.apps.venue_config import VenueFeedConfig
from mm.apps.venues import heard
from mm.events.units import Nanos
from mm.events.vocabulary import Fact
from mm.gateways.base import Message
from mm.gateways.feed_recording import Recorded
from mm.gateways.network import NetworkSettings, open_network
from mm.gateways.questions import Outside
from mm.gateways.raw_frames import RawHead, RawWriter
from mm.gateways.recorder import Recorder
from mm.projections.ledger import Ledger

LOOK_SECONDS: Final = 0.1
"""A stop is heard within this time."""


class LiveRecording:
    """A venue in, turns out, totals beside; a stop keeps what was recorded."""

    def __init__(
        self,
        chosen: VenueFeedConfig,
        network: NetworkSettings,
        seconds: float | None,
        raw: Path | None = None,
    ) -> None:
        """Record for so many seconds from now on, or until `stop`."""
        self._chosen = chosen
        self._market = heard(chosen)
        self._network = network
        self._seconds = seconds
        self._raw = raw
        self._recorded: Recorded | None = None
        self.stopped = False

    def stop(self) -> None:
        """End soon."""
        self.stopped = True

    def run(self, recorder: Recorder, advance: Callable[[float], None]) -> None:
        """Record until the time is over or `stop`; `advance` hears of seconds.

        Raises `VenueSaid`, `BadInput` or `ConfigError` where the venue cannot be heard.
        """
        asyncio.run(self._run(recorder, advance))

    async def _run(self, recorder: Recorder, advance: Callable[[float], None]) -> None:
        clock = PacedClock(Nanos(time.time_ns()))
        async with open_network(self._market.hosts, self._network) as session:
            outside = Outside(session=session, now=clock.now)
            raw = self._raw_writer()
            feed = await self._market.open(outside, Ledger(), raw)
            self._recorded = recorded = Recorded(recorder, feed.instruments)

            def offer(received: Nanos, facts: tuple[Fact, ...]) -> bool:
                recorded.take(Message(received, facts))
                return True

            recorder.turn(clock.now(), feed.instruments)
            running = asyncio.create_task(feed.run(offer))
            try:
                await self._wait(running, advance)
            finally:
                running.cancel()
                await asyncio.wait([running])
                if raw is not None:
                    raw.close()

    def _raw_writer(self) -> RawWriter | None:
        if self._raw is None:
            return None
        chosen = self._chosen
        head = RawHead(
            venue=chosen.venue,
            symbols=chosen.symbols,
            channels=chosen.channels,
            interval=chosen.interval,
            audit=chosen.audit,
        )
        return RawWriter(self._raw, head)

    async def _wait(self, running: "asyncio.Task[None]", advance: Callable[[float], None]) -> None:
        began = last = time.monotonic()
        while not self.stopped and (self._seconds is None or last - began < self._seconds):
            await asyncio.wait([running], timeout=LOOK_SECONDS)
            if running.done():
                running.result()
            now = time.monotonic()
            advance(now - last)
            last = now

    def report(self) -> list[dict[str, Any]]:
        """The figures of every instrument."""
        return [] if self._recorded is None else self._recorded.report()
