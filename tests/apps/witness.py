"""`mm` as it is, with a witness who writes down what happens, as it happens, to a file.

Run as a process: `python -c "from tests.apps.witness import run; run()" FILE ARGUMENTS…`. A line is
one small append, so that it is there whole or not at all however the process ends:

    recovered TURN DIGEST      the state that the session found in the log
    acked TURN HASH            the log acknowledged this turn
    sent COMMAND ORDER         this command left
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mm.apps.cli import live, main
from mm.gateways.paper import PaperGateway
from mm.log.jetstream import JetStreamLog
from mm.projections.state import combined

if TYPE_CHECKING:
    from mm.log.chain import Sealed

CODE: Final = "from tests.apps.witness import run; run()"


class Testimony(NamedTuple):
    """What a witness wrote."""

    recovered: list[tuple[int, str]]
    acked: dict[int, str]
    sent: list[tuple[str, str]]
    lines: list[tuple[str, str, str]]

    @property
    def last(self) -> int:
        """The last turn that was acknowledged."""
        return max(self.acked, default=0)


def read(path: Path) -> Testimony:
    """What was written so far; nothing when nobody has come that far."""
    text = path.read_text() if path.exists() else ""
    whole, _, _ = text.rpartition("\n")  # A line may be read while it is being written.
    lines: list[Any] = [tuple(line.split(" ", 2)) for line in whole.splitlines()]
    recovered = [(int(turn), digest) for what, turn, digest in lines if what == "recovered"]
    acked = {int(turn): digest for what, turn, digest in lines if what == "acked"}
    sent = [(command, order) for what, command, order in lines if what == "sent"]
    return Testimony(recovered, acked, sent, lines)


def run() -> None:
    """Hook the witness in, and run the command line."""
    path, *arguments = sys.argv[1:]
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(*words: Any) -> None:
        os.write(file, (" ".join(str(word) for word in words) + "\n").encode())

    hooked: Any = live
    append, send, recover = JetStreamLog.append, PaperGateway.send, hooked.recover

    async def appending(log: JetStreamLog, sealed: Sealed) -> None:
        await append(log, sealed)
        tell("acked", sealed.turn.number, sealed.id)

    def sending(gateway: PaperGateway, at: Any, intent: Any) -> Any:
        tell("sent", type(intent).__name__, getattr(intent, "order_id", "-"))
        return send(gateway, at, intent)

    async def recovering(*given: Any) -> Any:
        engine, recovery = await recover(*given)
        tell("recovered", engine.turns, combined(engine.state.digests()))
        return engine, recovery

    hooked.recover = recovering
    hooked = JetStreamLog
    hooked.append = appending
    hooked = PaperGateway
    hooked.send = sending
    main(arguments)
