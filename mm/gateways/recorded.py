"""Feeds without a venue: a recording, or a seeded synthetic market."""

from collections.abc import Iterator
from pathlib import Path

from mm.errors import BadInput
from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.session import TimerFired
from mm.events.units import Nanos
from mm.gateways.base import Message
from mm.log.archive import Archive
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings


class RecordedFeed:
    """Plays the market facts of an archive: a recording's, or a session's."""

    def __init__(self, path: Path) -> None:
        """Open the archive and read what it defines."""
        self._archive = Archive(path)
        self._path = path
        self._instruments = self._defined()

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """The latest definition of each instrument that the archive opens with."""
        return self._instruments

    def messages(self, after: Nanos) -> Iterator[Message]:
        """One message a turn; timers and orders of a session's own are left out."""
        for sealed in self._archive.turns():
            turn = sealed.turn
            if turn.at <= after:
                continue
            facts = tuple(
                fact
                for fact in turn.facts
                if isinstance(fact, MarketEvent) and not isinstance(fact, TimerFired)
            )
            if facts:
                yield Message(turn.at, facts)

    def _defined(self) -> tuple[InstrumentDefined, ...]:
        found: dict[int, InstrumentDefined] = {}
        for sealed in self._archive.turns():
            defined = [fact for fact in sealed.turn.facts if isinstance(fact, InstrumentDefined)]
            found.update((fact.instrument, fact) for fact in defined)
            if found and not defined:
                break
        if not found:
            raise BadInput(
                "the recording defines no instrument",
                where=str(self._path),
                remedy="import it again with `mm import`",
            )
        return tuple(found.values())


class SyntheticFeed:
    """A seeded market that begins at `start`."""

    def __init__(self, settings: SyntheticSettings, seed: int, start: Nanos) -> None:
        """Choose the market; nothing is drawn yet."""
        self._market = SyntheticMarket(settings, seed, start)

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """The one instrument of the market."""
        return (self._market.instrument,)

    def messages(self, after: Nanos) -> Iterator[Message]:
        """The market's messages, without end."""
        for received, facts in self._market.messages():
            if received > after:
                yield Message(received, facts)
