"""A process that spends a shared rate limit as fast as it can: `python -m tests.gateways.spender`.

It prints the time and the weight of every call, and at the end whether a cancel left while the
store was away. It is told the server, its name and the limit as JSON on its command line.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from nats.aio.client import Client

from mm.events.units import MILLIS, Nanos
from mm.gateways.limiter import Limiter, Priority
from mm.gateways.order_port import Rate
from mm.gateways.shared_pool import joined
from mm.gateways.tasks import end

SEATS = 3


class Job(msgspec.Struct):
    """What to do: the server with its login, who we are, the limit, and when to end."""

    url: str
    user: str
    password: str
    name: str
    most: int
    span_ms: int
    calls: int


def tell(line: str) -> None:
    """To whoever started us."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def quiet(_error: Exception) -> None:
    """The server goes away in the end."""


async def work(job: Job) -> None:
    """Spend, then wait to be told that the store is gone, then cancel."""
    client = Client()
    await client.connect(
        job.url, user=job.user, password=job.password, max_reconnect_attempts=0, error_cb=quiet
    )
    rate = Rate(name="weight", span=Nanos(job.span_ms * MILLIS), most=job.most)
    pool = await joined(client, "account", job.name, (rate,), SEATS)
    keeping = asyncio.create_task(pool.keep())
    limiter = Limiter((rate,), pool, lambda: Nanos(time.time_ns()), seats=SEATS)
    for number in range(job.calls):
        kind = Priority.CANCEL if number % 7 == 0 else Priority.PLACE
        weight = 1 + number % 5
        assert await limiter.take("place", weight, kind, 60.0)
        tell(f"{time.time_ns()} {weight}")
    tell("away")
    await asyncio.to_thread(sys.stdin.readline)
    for _ in range(10):
        assert await limiter.take("cancel", 1, Priority.CANCEL, 60.0)
        tell(f"{time.time_ns()} 1")
    tell("canceled")
    await end(keeping)
    await limiter.close()


if __name__ == "__main__":
    asyncio.run(work(msgspec.json.decode(sys.argv[1], type=Job)))
