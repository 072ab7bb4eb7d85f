"""Feeds without a venue: a recording, or a seeded synthetic market."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from mm.errors import BadInput
from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.market import BookSnapshot, FeedUp
from mm.events.session import TimerFired
from mm.events.turn import Turn
from mm.events.units import InstrumentId, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.base import Message
from mm.log.archive import Archive, is_archive
from mm.projections.book import Books
from mm.projections.depth import LEVELS_MAX
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings

PART_LEVELS: Final = 4_096


class RecordedFeed:
    """Plays the market facts of an archive: a recording's, or a desk's."""

    def __init__(self, path: Path) -> None:
        """Open the archive, which a desk has in a directory of its own, and read its definitions.

        Raises `SessionError` where there is none, or `LogDamaged`.
        """
        own = path / "archive"
        self._archive = Archive(own if is_archive(own) else path)
        self._path = path
        self._instruments = self._defined()

    @property
    def instruments(self) -> tuple[InstrumentDefined, ...]:
        """The first definition of each instrument that the archive opens with."""
        return self._instruments

    def messages(self, after: Nanos) -> Iterator[Message]:
        """One message a turn, with later definitions; a session's own timers and orders left out.

        Played from the middle, it begins as a venue's feed does: with the books as they stand.
        """
        skipped = Books()
        resumed = False
        defined = {each.instrument: each for each in self._instruments}
        for sealed in self._archive.turns():
            turn = sealed.turn
            facts = tuple(
                fact for fact in turn.facts if _is_market(fact) or _revises(fact, defined)
            )
            if turn.at <= after:
                _fold(skipped, turn, facts)
                resumed = True
                continue
            if resumed:
                revised = tuple(each for each in defined.values() if each not in self._instruments)
                if revised:
                    yield Message(turn.at, revised)
                yield from self._standing(skipped, turn.at)
                resumed = False
            if facts:
                yield Message(turn.at, facts)

    def _standing(self, books: Books, at: Nanos) -> Iterator[Message]:
        """A snapshot of each book that was whole, split as a turn can hold it."""
        for instrument in self._instruments:
            number = instrument.instrument
            book = books.of(number)
            if not (book.usable and book.has_depth):
                continue
            yield Message(at, (FeedUp(instrument=number, received=at, channel="recording"),))
            bids, asks = book.bids(LEVELS_MAX), book.asks(LEVELS_MAX)
            parts = max(1, -(-max(len(bids), len(asks)) // PART_LEVELS))
            for part in range(parts):
                here = slice(part * PART_LEVELS, (part + 1) * PART_LEVELS)
                snapshot = BookSnapshot(
                    instrument=number,
                    received=at,
                    venue_time=at,
                    sequence=book.sequence,
                    bids=tuple(chain.from_iterable(bids[here])),
                    asks=tuple(chain.from_iterable(asks[here])),
                    part=part + 1,
                    parts=parts,
                )
                yield Message(at, (snapshot,))

    def _defined(self) -> tuple[InstrumentDefined, ...]:
        found: dict[InstrumentId, InstrumentDefined] = {}
        for sealed in self._archive.turns():
            defined = [fact for fact in sealed.turn.facts if isinstance(fact, InstrumentDefined)]
            for fact in defined:
                found.setdefault(fact.instrument, fact)
            if found and not defined:
                break
        if not found:
            raise BadInput(
                "the recording defines no instrument",
                where=str(self._path),
                remedy="import it again with `mm import`",
            )
        return tuple(found.values())


def _is_market(fact: Fact) -> bool:
    return isinstance(fact, MarketEvent) and not isinstance(fact, TimerFired)


def _revises(fact: Fact, defined: dict[InstrumentId, InstrumentDefined]) -> bool:
    """Whether a fact defines an instrument otherwise than before; it is remembered."""
    if not isinstance(fact, InstrumentDefined) or defined.get(fact.instrument) == fact:
        return False
    defined[fact.instrument] = fact
    return True


def _fold(books: Books, turn: Turn, facts: tuple[Fact, ...]) -> None:
    """Move the books by what is skipped."""
    routes = books.routes()
    for fact in facts:
        handler = routes.get(type(fact))
        if handler is not None:
            handler(fact, turn.at)


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
