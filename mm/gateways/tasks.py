"""Tasks that are looked after: one that fails is told of, none fails unheard."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Tasks:
    """The running tasks of one gateway."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        """`failed` hears of each task that raised."""
        self._running: set[asyncio.Task[None]] = set()
        self._failed = failed

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it beside all else."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self._failed(failure)

    async def close(self) -> None:
        """End them all, and wait for that."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
