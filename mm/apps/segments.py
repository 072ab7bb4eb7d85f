"""The sessions of a desk: its log holds them one after another, each from its start to the next.

They are found without reading the market, with what each strategy held when its session began.
"""

import difflib
from pathlib import Path
from typing import Final

import msgspec

from mm.apps.reading import Reading, closing
from mm.engine.core import Engine
from mm.errors import SessionError
from mm.events.session import SessionStarted
from mm.events.turn import Turn
from mm.events.units import TurnNumber

NEAREST_MAX: Final = 3


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One session on a log: its turns, and signed lots by strategy as it began."""

    started: SessionStarted
    first: TurnNumber
    last: TurnNumber
    held: dict[str, int]

    @property
    def name(self) -> str:
        """The session's id."""
        return self.started.session


async def segments(reading: Reading, wanted: str = "") -> tuple[list[Segment], list[Turn]]:
    """Every session of a log, in order, and the wanted one's turns that touch orders.

    Wanted is the session of that id or number (from 1), the latest without one.
    """
    found: list[Segment] = []
    engine, latest, kept = Engine(), list[Turn](), list[Turn]()
    async with closing(reading.order_turns()) as turns:
        async for sealed in turns:
            started = _started(sealed.turn)
            if started is not None:
                _end(found, TurnNumber(sealed.turn.number - 1))
                for turn in latest:  # Only now: what the last session came to nobody asks.
                    engine.fold(turn)
                kept = kept if wanted else []
                latest, held = [], _held(engine)
                first, last = sealed.turn.number, reading.head.number
                found.append(Segment(started=started, first=first, last=last, held=held))
            latest.append(sealed.turn)
            if found and wanted in ("", found[-1].name, str(len(found))):
                kept.append(sealed.turn)
    return found, kept


def chosen(found: list[Segment], name: str, path: Path) -> Segment:
    """The session of that id or number (from 1), the latest without one; raises `SessionError`."""
    if not found:
        raise SessionError(
            "no session has ever started here",
            where=str(path),
            remedy="name the desk of a session; `mm replay backtest` plays recordings",
        )
    if not name:
        return found[-1]
    named = {each.name: each for each in found}
    if name in named:
        return named[name]
    if name.isdecimal() and 1 <= int(name) <= len(found):
        return found[int(name) - 1]
    near = difflib.get_close_matches(name, list(named), n=NEAREST_MAX, cutoff=0.3)
    raise SessionError(
        f"the desk has no session {name!r}; it has {len(found)}, the nearest: "
        f"{', '.join(near or list(named)[-NEAREST_MAX:])}",
        where=str(path),
        remedy=f"name one of them with --session, or its number from 1 to {len(found)}",
    )


def _started(turn: Turn) -> SessionStarted | None:
    return next((fact for fact in turn.facts if isinstance(fact, SessionStarted)), None)


def _end(found: list[Segment], last: TurnNumber) -> None:
    if found:
        found[-1] = msgspec.structs.replace(found[-1], last=last)


def _held(engine: Engine) -> dict[str, int]:
    """Signed lots by strategy, where there are any; a strategy trades one instrument."""
    held: dict[str, int] = {}
    for (_, _, strategy), account in engine.state.ledger.accounts.items():
        if account.position.net:
            held[strategy] = int(account.position.net)
    return held
