"""Tasks that are looked after: one that fails is told of, none fails unheard."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

AGAIN_SECONDS: Final = 1.0


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
        await end(*self._running)


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they have ended, whatever they end with.

    A cancel that comes at the moment in which a task's wait is answered is lost in Python 3.11's
    `wait_for`, so that asking once is not enough.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # Heard, or asyncio complains of it later.
