"""Whoever listens to an order port's private stream in a test, and lets things go wrong there."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, Self

from mm.emulator.faults import Rule
from mm.gateways.order_port import OrderPort
from tests.emulator.venue import Reached

PATIENCE = 20.0


class Ear:
    """What a stream said, and the venue that it comes from."""

    port: OrderPort

    def __init__(self, there: Reached) -> None:
        """Nothing was heard yet; `port` is set by who makes it."""
        self.there = there
        self.heard: list[Any] = []

    async def listen(self) -> None:
        """Keep what the stream says."""
        async for news in self.port.stream():
            self.heard += news if type(news) is tuple else [news]

    def of(self, kind: type) -> list[Any]:
        """What was heard of a kind."""
        return [each for each in self.heard if isinstance(each, kind)]

    async def until(self, kind: type, most: int = 1) -> list[Any]:
        """Wait for so many of a kind."""
        await self.holds(lambda: len(self.of(kind)) >= most)
        return self.of(kind)

    async def holds(self, said: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            for _ in count():
                if said():
                    return
                await asyncio.sleep(0.005)

    def fault(self, **rule: Any) -> Self:
        """Let something go wrong."""
        self.there.running.hub.faults.add([Rule(**rule)])
        return self
