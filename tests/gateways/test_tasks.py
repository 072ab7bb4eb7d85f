"""Tasks end when they are told to, even one that misses the first word."""

import asyncio

from mm.gateways.tasks import end


async def test_a_task_that_loses_a_cancel_is_canceled_again() -> None:
    """As `wait_for` of Python 3.11 may lose it."""
    lost = []

    async def deaf_once() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            lost.append(True)
        await asyncio.sleep(3600)

    async def failing() -> None:
        raise OSError

    tasks = [asyncio.create_task(deaf_once()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    await end(*tasks)
    assert lost
    assert all(task.done() for task in tasks)
