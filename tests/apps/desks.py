"""Desks for tests of what looks at logs: an engine at work, its turns in real stores."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any, Final

import pytest

from mm.apps.cli import main
from mm.apps.sessions import DeskFiles
from mm.events.orders import PlaceOrder
from mm.events.session import SessionEnded, TradingHalted, TradingRearmed
from mm.events.units import Seq
from mm.log import streams
from mm.log.archive import ArchiveWriter
from mm.log.chain import START as LOG_START
from mm.log.chain import Head, Sealed, advance, seal
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog, LogOptions
from mm.log.server import EmbeddedServer
from tests.build import (
    START,
    Desk,
    acked,
    canceled,
    feed_up,
    filled,
    printed,
    quote,
    snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mm.events.vocabulary import Fact
    from mm.log.manifest import Kind

ENDED: Final = SessionEnded(session="s1", reason="done", wall_time=START)
HALTED: Final = TradingHalted(who="operator", reason="lunch", cause=Seq(0))
REARMED: Final = TradingRearmed(who="operator", reason="back")


class Logged(Desk):
    """A desk whose every turn is sealed."""

    def __init__(self) -> None:
        """Start a session of one maker."""
        self.turns: list[Sealed] = []
        self.head: Head = LOG_START
        super().__init__()

    def hears(self, *facts: Fact, after: int = 1_000_000) -> Any:
        """One turn, a millisecond later."""
        outcome = super().hears(*facts, after=after)
        sealed = seal(self.head, self.at, outcome.facts, outcome.decisions)
        self.head = advance(self.head, sealed)
        self.turns.append(sealed)
        return outcome


def session(rounds: int = 30, *last: Fact) -> list[Sealed]:
    """A session that quotes, is filled now and then, and ends with `last`.

    Every round brings a market turn or two, orders, acks, and cancels of what was replaced.
    """
    desk = Logged()
    desk.hears(feed_up(), snapshot((100_000, 10, 99_990, 20), (100_010, 10, 100_020, 20)))
    for number in range(rounds):
        bid = 100_000 + 200 * (number % 2)
        desk.hears(quote(bid, bid + 10), printed(bid, 3), after=1_500_000_000)
        placed = desk.decided(PlaceOrder)
        if placed:
            desk.hears(*(acked(each.order_id) for each in placed))
        desk.hears(quote(bid, bid + 10, bid_size=11 + number))
        if placed and not number % 5:
            first = placed[0]
            desk.hears(filled(first.order_id, first.side, first.price, first.size))
    for order in list(desk.engine.state.orders.live):
        desk.hears(canceled(order.order_id))
    for fact in last:
        desk.hears(fact)
    return desk.turns


def archive(
    path: Path, turns: Iterable[Sealed], *, name: str = "", kind: Kind = "session", span: int = 40
) -> Path:
    """Put turns into an archive of several spans."""
    with ArchiveWriter(path, name=name, kind=kind, span_events_max=span) as writer:
        for sealed in turns:
            writer.append(sealed)
    return path


async def append(log: JetStreamLog, turns: Iterable[Sealed]) -> None:
    """Append turns to an open log."""
    for sealed in turns:
        await log.append(sealed)


async def stored(
    root: Path, turns: Iterable[Sealed], *, mark: bool = True, killed: bool = False
) -> None:
    """Put turns into a desk's own store, and stop the server, or kill it."""
    files = DeskFiles(root)
    options = LogOptions(mark=files.mark) if mark else LogOptions()
    async with EmbeddedServer(files.store, sync="2m") as server:
        nc = await connect(server.access)
        log = await JetStreamLog.open(nc, streams.load(root.name), options)
        await append(log, turns)
        await log.close()
        await close(nc)
        if killed:
            os.kill(server.pid, signal.SIGKILL)
            await server.exited()


def desk(root: Path, turns: list[Sealed], *, archived: int | None = None) -> Path:
    """A desk as a session leaves it, of whose turns so many (default: all) are archived."""
    asyncio.run(stored(root, turns))
    archive(DeskFiles(root).archive, turns[:archived], name=root.name)
    return root


class Cli:
    """Runs `mm` in this process, and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Capture with pytest's own means."""
        self._capsys = capsys
        self.code = 0
        self.out = self.err = ""

    def __call__(self, *arguments: object) -> str:
        """Run a command; returns what stdout got, whatever the exit code."""
        with pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
        code = ended.value.code
        assert isinstance(code, int)
        self.code = code
        self.out, self.err = self._capsys.readouterr()
        return self.out

    def json(self, *arguments: object) -> Any:
        """Run a command with `--json`; returns its one document."""
        return json.loads(self(*arguments, "--json"))


def head_of(turns: Iterable[Sealed]) -> Head:
    """Where a log stands after these turns, which are all it has."""
    head = LOG_START
    for sealed in turns:
        head = advance(head, sealed)
    return head
