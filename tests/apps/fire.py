"""One desk under fire: run by real processes, looked at in between, nothing taken on trust.

`check` reads the whole log as any reader would and goes on from what it knew: every turn that a
process was ever told is stored must be there, unchanged; one engine that never died folds every
turn once; one verifier recomputes every decision.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mm.apps.logs import turns
from mm.engine.core import Engine
from mm.engine.verify import Verifier
from mm.events.orders import PlaceOrder
from mm.events.session import SessionEnded, SessionStarted
from mm.events.units import TurnNumber
from mm.projections.state import combined
from tests.apps import witness
from tests.apps.processes import started

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mm.log.chain import Sealed

CONFIG: Final = """
desk = "fire"
seed = 11
status_every = "1h"

[feed]
kind = "synthetic"

[strategies.maker]
kind = "symmetric"
instrument = "synthetic:BTC-USDT"
order_size = 0.05
position_max = 0.5
half_spread_bps = 0.4
levels = 2
level_spacing_bps = 0.5
skew_bps = 1.5
drift_bps = 0.1
refresh = "50ms"
hedge_above = 0.3

[limits."synthetic:BTC-USDT"]
order_size_max = 0.5
order_notional_max = 50000
position_max = 1
open_orders_max = 20
price_collar_bps = 50
messages_per_second_max = 1000
"""
PATIENCE: Final = 60.0


class Fire:
    """A desk, its witnesses, and what is known of its log."""

    def __init__(self, root: Path) -> None:
        """Begin without a log."""
        root.mkdir(exist_ok=True)
        self.config = root / "fire.toml"
        self.config.write_text(CONFIG)
        self.data = root / "data"
        self.desk = self.data / "fire"
        self.notes = root / "notes"
        self.notes.mkdir()
        self.hashes: dict[int, str] = {}
        self.digests: dict[int, str] = {0: combined(Engine().state.digests())}
        self.sessions = 0
        self.ended = 0
        self._engine = Engine()
        self._verifier = Verifier()
        self._runs = 0

    @property
    def present(self) -> Path:
        """Where the present process's witness writes."""
        return self.notes / f"{self._runs:03}"

    @contextmanager
    def trading(
        self, *options: Any, code: str = witness.CODE, **given: str
    ) -> Iterator[subprocess.Popen[str]]:
        """A session in a process of its own, with a witness."""
        self._runs += 1
        with started(self.present, *self.live(*options), code=code, **given) as process:
            yield process

    def live(self, *options: Any) -> tuple[Any, ...]:
        """The command line of a session."""
        return ("live", self.config, "--paper", "--data", self.data, *options)

    def seen(self) -> witness.Testimony:
        """What the present process has done so far."""
        return witness.read(self.present)

    def wait(
        self, process: subprocess.Popen[str], until: Callable[[witness.Testimony], bool]
    ) -> witness.Testimony:
        """Watch the present process until it has done something."""
        deadline = time.monotonic() + PATIENCE
        while not until(seen := self.seen()):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, f"nothing came of it: {seen.lines[-3:]}"
            time.sleep(0.005)
        return seen

    def server(self) -> int:
        """The process id of the desk's own nats-server."""
        return int((self.desk / "store" / "server.pid").read_text().split()[0])

    async def check(self) -> int:
        """Read the log to its end and compare; the number of turns on it."""
        after = self._engine.turns
        read = [sealed async for sealed in turns(self.desk)] if self.desk.exists() else []
        numbers = [sealed.turn.number for sealed in read]
        assert numbers == list(range(1, len(read) + 1))
        for sealed in read[:after]:
            assert self.hashes[sealed.turn.number] == sealed.id, "a turn has changed"
        assert len(read) >= after, "the log has become shorter"
        notes = [witness.read(note) for note in sorted(self.notes.iterdir())]
        recovered = {turn for seen in notes for turn, _ in seen.recovered}
        for sealed in read[after:]:
            self._take(sealed)
            if sealed.turn.number in {*recovered, len(read)}:
                self.digests[sealed.turn.number] = combined(self._engine.state.digests())
        for seen in notes:
            self._compare(seen, read)
        return len(read)

    def checked(self) -> int:
        """The same, outside a loop."""
        return asyncio.run(self.check())

    def _take(self, sealed: Sealed) -> None:
        self.hashes[sealed.turn.number] = sealed.id
        self._engine.fold(sealed.turn)
        self.sessions += any(isinstance(fact, SessionStarted) for fact in sealed.turn.facts)
        self.ended += any(isinstance(fact, SessionEnded) for fact in sealed.turn.facts)
        assert self._verifier.take(sealed), self._verifier.result().difference

    def _compare(self, seen: witness.Testimony, read: list[Sealed]) -> None:
        lost = [turn for turn in seen.acked if turn > len(read)]
        assert not lost, f"acknowledged turns are lost: {lost}"
        changed = [turn for turn, digest in seen.acked.items() if self.hashes[turn] != digest]
        assert not changed, f"acknowledged turns are not what they were: {changed}"
        for turn, digest in seen.recovered:
            assert self.digests[turn] == digest, f"the state recovered at turn {turn} differs"
        placed: set[str] = set()
        for what, first, second in seen.lines:
            if what == "acked":
                decisions = read[TurnNumber(int(first)) - 1].turn.decisions
                placed |= {each.order_id for each in decisions if isinstance(each, PlaceOrder)}
            elif what == "sent" and first == "PlaceOrder":
                assert second in placed, f"order {second} left before its turn was stored"

    def verified(self) -> tuple[int, int]:
        """How many decisions were recomputed, of how many."""
        result = self._verifier.result()
        return result.reproduced, result.decisions


def kill(process: subprocess.Popen[str]) -> None:
    """Kill it without a word of warning."""
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
