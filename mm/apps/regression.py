"""Raw frames parsed anew by the present parser, held against what was recorded of them.

Only what a parser says is compared: the market facts of the recording, but for silence, which is
told by the clock, and the list of instruments.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import msgspec

from mm.apps.venue_config import VenueFeedConfig
from mm.apps.venues import market_port
from mm.errors import BadInput
from mm.events.base import MarketEvent
from mm.events.market import FeedDown, FeedStale, FeedUp
from mm.events.vocabulary import Fact, tag_of
from mm.gateways.listing_watch import LISTING
from mm.gateways.market_port import Frame, MarketPort, Parser
from mm.gateways.raw_frames import DEFINITIONS, FRAME, Entry, RawHead, entries, head_of
from mm.gateways.venue_feed import missed_reason
from mm.log.archive import Archive

SHOWN_MAX: Final = 20


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the two part: what was recorded, and what the present parser says."""

    place: int
    recorded: str
    parsed: str


class Regression(msgspec.Struct, frozen=True, kw_only=True):
    """How many facts are the same, and the first that are not."""

    raw: str
    recording: str
    entries: int
    unread: int
    recorded: int
    parsed: int
    same: int
    kinds: dict[str, int]
    differences: tuple[Difference, ...]


def regress(raw: Path, recording: Path) -> Regression:
    """Parse and compare; raises `BadInput` or `LogDamaged` for what cannot be read."""
    again = Again(raw)
    recorded, same, places = 0, 0, 0
    kinds: Counter[str] = Counter()
    differences: list[Difference] = []
    for place, (before, now) in enumerate(zip_longest(_recorded(recording), again.facts())):
        places = place + 1
        recorded += before is not None
        if now is not None:
            kinds[tag_of(type(now))] += 1
        if before == now:
            same += 1
        elif len(differences) < SHOWN_MAX:
            differences.append(Difference(place=place, recorded=repr(before), parsed=repr(now)))
    assert places >= recorded, "every recorded fact has a place"
    return Regression(
        raw=str(raw),
        recording=str(recording),
        entries=again.entries,
        unread=again.unread,
        recorded=recorded,
        parsed=kinds.total(),
        same=same,
        kinds=dict(sorted(kinds.items())),
        differences=tuple(differences),
    )


def _recorded(recording: Path) -> Iterator[Fact]:
    for sealed in Archive(recording).turns():
        yield from (fact for fact in sealed.turn.facts if _parsed(fact))


def _parsed(fact: Fact) -> bool:
    """Whether a parser says such a thing."""
    if isinstance(fact, FeedUp | FeedDown) and fact.channel == LISTING:
        return False
    return isinstance(fact, MarketEvent) and not isinstance(fact, FeedStale)


class Again:
    """Raw frames through a parser that has heard nothing yet."""

    def __init__(self, raw: Path) -> None:
        """Find out whose they are."""
        self.entries = self.unread = 0
        self._raw = raw
        self._head: RawHead = head_of(raw)
        self._port: MarketPort = market_port(VenueFeedConfig(**msgspec.structs.asdict(self._head)))

    def facts(self) -> Iterator[Any]:
        """What the parser says, in order."""
        answers: list[Frame] = []
        parser: Parser | None = None
        for entry in entries(self._raw):
            self.entries += 1
            if entry.kind == DEFINITIONS:
                answers.append(Frame(entry.received, entry.channel, entry.body))
                continue
            if parser is None:
                instruments = self._port.instruments(tuple(answers), self._head.symbols)
                parser = self._port.parser(instruments)
            yield from self._heard(parser, entry)

    def _heard(self, parser: Parser, entry: Entry) -> list[Any]:
        received, kind, channel, body = entry
        match kind:
            case "joined":
                return [*parser.connected(channel, received)]
            case "parted":
                return [*parser.disconnected(channel, received, body.decode())]
            case "lost":
                return [*parser.missed(channel, received, body.decode())]
        assert kind == FRAME, f"an entry of kind {kind}"
        frame = Frame(received, channel, body)
        try:
            return [*parser.parse(frame)]
        except BadInput as error:
            self.unread += 1
            return [*parser.missed(channel, received, missed_reason(frame, error))]
