"""Turns to put on a log, and a log to put them on."""

from __future__ import annotations

import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from mm.events.orders import CancelAll
from mm.events.session import NoteTaken, TimerFired
from mm.events.units import InstrumentId, Nanos, Seq
from mm.log import streams as declared
from mm.log.chain import Head, Sealed, seal
from mm.log.connection import LinkOptions, close, connect
from mm.log.jetstream import DEFAULTS, JetStreamLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mm.log.base import Log
    from mm.log.jetstream import LogOptions
    from mm.log.server import EmbeddedServer
    from mm.log.streams import Streams

DESK: Final = declared.load("test")


def market(head: Head, text: str = "t", events: int = 1) -> Sealed:
    """A turn that touches no order."""
    timer = TimerFired(timer=text, deadline=Nanos(1))
    return seal(head, Nanos(head.at + 1), [timer] * events, [])


def orders(head: Head, text: str = "x") -> Sealed:
    """A turn that touches orders."""
    cancel = CancelAll(instrument=InstrumentId(1), cause=Seq(1), reason="test")
    return seal(head, Nanos(head.at + 1), [NoteTaken(who="test", text=text)], [cancel])


async def fill(log: Log, turns: int, text: str = "t") -> list[Sealed]:
    """Append turns of which every third touches orders."""
    done = []
    for number in range(turns):
        done.append(market(log.head, text) if number % 3 else orders(log.head, text))
        await log.append(done[-1])
    return done


def pause(server: EmbeddedServer) -> None:
    """Stop the server's process, and be sure that it stands still."""
    os.kill(server.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)


def resume(server: EmbeddedServer) -> None:
    """Let the server's process go on."""
    os.kill(server.pid, signal.SIGCONT)


@asynccontextmanager
async def opened(
    server: EmbeddedServer, options: LogOptions = DEFAULTS, streams: Streams = DESK
) -> AsyncIterator[JetStreamLog]:
    """A log on a connection of its own."""
    nc = await connect(server.access, LinkOptions(reconnect_seconds=0.01))
    try:
        log = await JetStreamLog.open(nc, streams, options)
        yield log
        await log.close()
    finally:
        await close(nc)
