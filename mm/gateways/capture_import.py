"""Raw Binance captures of one or several files become one recording.

Lines of all files are merged by receive time, ties by file and line; each is one turn. Beside the
decoder stands an audit: a diff that would cross the book, or a quote that contradicts it, is not
recorded, and the book is a gap from there until a newer snapshot joins. Every line that is not
imported is named by file and line.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from mm.errors import BadInput, ConfigError, CrossedBook, MalformedLine
from mm.events.instrument import InstrumentDefined
from mm.events.market import FeedGapped, FeedResynced
from mm.events.vocabulary import Market
from mm.gateways.audit import BookAudit, believed
from mm.gateways.binance_raw import MARKETS, SPOT, USDM, BinanceDecoder, BinanceRouter
from mm.gateways.captures import CaptureFile, Line
from mm.gateways.compressed import Advance, silent
from mm.gateways.definitions import FORM, Definitions, numbered
from mm.gateways.recorder import Recorder
from mm.gateways.totals import KEPT_MAX, Problems, Totals

SNIFFED_LINES_MAX: Final = 5_000


def sniff(path: Path) -> list[tuple[str, str]]:
    """Venue and symbol of every stream near the start of a capture, in order of appearance."""
    votes: dict[str, Counter[str]] = {}
    for line in islice(CaptureFile(path, 0).lines(), SNIFFED_LINES_MAX):
        seen = _market(line.payload)
        if seen:
            symbol, venue, weight = seen
            votes.setdefault(symbol, Counter())[venue] += weight
    return [(found.most_common(1)[0][0], symbol) for symbol, found in votes.items()]


def _market(payload: bytes) -> tuple[str, str, int] | None:
    """Symbol, venue and how much a frame says about the venue."""
    try:
        frame = msgspec.json.decode(payload)
        symbol, _, channel = frame["stream"].partition("@")
        data = frame["data"]
    except (
        msgspec.MsgspecError,
        KeyError,
        TypeError,
        AttributeError,
        UnicodeError,
        RecursionError,
    ):
        return None
    mark = {"depth": "pu", "bookTicker": "e", "trade": "X", "markPrice": "r"}
    field = mark.get(channel.partition("@")[0])
    if field is None or not isinstance(data, dict):
        return None
    venue = "binance_coinm" if "ps" in data else USDM.venue if field in data else SPOT.venue
    return symbol.upper(), venue, 100 if field == "pu" else 1


class Track:
    """One instrument on its way into the recording."""

    def __init__(self, definition: InstrumentDefined) -> None:
        """Start before the first message."""
        self.decoder = BinanceDecoder(definition)
        self.audit = BookAudit()
        self.totals = Totals(definition)

    def believed(self, events: Sequence[Market], line: Line) -> tuple[list[Market], str]:
        """The events that the audit lets pass, and what it found wrong."""
        facts: list[Market] = []
        self.totals.message(line.received)
        if self.totals.messages == 1:
            facts.append(self.decoder.up(line.received))
        passed, wrong = believed(self.audit, self.decoder.book, events, line.received)
        facts += passed
        for fact in facts:
            self.totals.add(fact)
        return facts, wrong

    def report(self) -> dict[str, Any]:
        """All figures of the instrument."""
        definition, book = self.totals.definition, self.decoder.book
        bid, bid_size, ask, ask_size = self.audit.top
        return (
            self.totals.report()
            | self.totals.book_report()
            | {
                "diffs_stale": book.stale,
                "diffs_unjoined": book.held,
                "snapshots_refused": book.refused_snapshots,
                "crossed_books": self.audit.crossed,
                "book_valid": self.audit.valid,
                "best_bid": definition.price(bid),
                "best_bid_size": definition.size(bid_size),
                "best_ask": definition.price(ask),
                "best_ask_size": definition.size(ask_size),
                "ticker_comparisons": self.audit.compared,
                "ticker_mismatches": self.audit.mismatches,
                "trades_not_market": dict(self.decoder.not_market),
            }
        )


class CaptureImport:
    """Files in, turns out, totals beside."""

    def __init__(self, paths: Sequence[Path], known: Definitions, problems: Problems) -> None:
        """Find out what the files hold; raises `BadInput` or `ConfigError` if that fails."""
        self.problems = problems
        self.notes: list[str] = []
        self._paths = paths
        self._tracks: dict[tuple[str, str], Track] = {}
        self._routers = [self._router(path, known) for path in paths]

    def _router(self, path: Path, known: Definitions) -> BinanceRouter:
        found = sniff(path)
        if not found:
            raise BadInput(
                f"no stream of Binance in the first {SNIFFED_LINES_MAX} lines",
                where=str(path),
                remedy='give a capture of lines `<receive time> {"stream": …, "data": …}`',
            )
        usable = [key for key in found if key in known and key[0] in MARKETS]
        if not usable:
            raise _undefined(path, found)
        for key in usable:
            if key not in self._tracks:
                self._tracks[key] = Track(numbered(known[key], len(self._tracks)))
        return BinanceRouter({key[1]: self._tracks[key].decoder for key in usable})

    @property
    def defined(self) -> list[InstrumentDefined]:
        """The instruments in order of their ids."""
        return [track.totals.definition for track in self._tracks.values()]

    def run(self, recorder: Recorder, advance: Advance = silent) -> None:
        """Record every line that can be believed."""
        tracks = {id(track.decoder): track for track in self._tracks.values()}
        definitions = self.defined
        for line in self._lines(advance):
            if line.error is not None:
                self.problems.add(line.error, self._where(line))
                continue
            if definitions:
                recorder.turn(line.received, definitions)
                definitions = []
            try:
                decoder, events = self._routers[line.source].take(line.payload, line.received)
            except BadInput as error:
                self.problems.add(error, self._where(line))
                continue
            facts, wrong = tracks[id(decoder)].believed(events, line)
            recorder.turn(line.received, facts)
            if wrong or decoder.remarks or len(facts) != 1 or isinstance(facts[0], FeedGapped):
                self._tell(decoder, facts, wrong, line)

    def _lines(self, advance: Advance) -> Iterator[Line]:
        files = [CaptureFile(path, n, advance).lines() for n, path in enumerate(self._paths)]
        return files[0] if len(files) == 1 else heapq.merge(*files)

    def _where(self, line: Line) -> str:
        return f"{self._paths[line.source].name}:{line.number}"

    def _tell(self, decoder: BinanceDecoder, facts: list[Market], wrong: str, line: Line) -> None:
        """Note what an operator would want to know of a line."""
        where = self._where(line)
        told = [*decoder.remarks] + [
            _told(f) for f in facts if isinstance(f, FeedGapped | FeedResynced)
        ]
        decoder.remarks.clear()
        room = KEPT_MAX - len(self.notes)
        self.notes += [f"{where}: {text}" for text in told][:room]
        if wrong:
            kind = CrossedBook if "crossed" in wrong else MalformedLine
            self.problems.add(kind(wrong, remedy="the book is a gap until a snapshot joins"), where)

    def report(self) -> list[dict[str, Any]]:
        """The figures of every instrument, in order of their ids."""
        return [track.report() for track in self._tracks.values()]


def _told(event: FeedGapped | FeedResynced) -> str:
    if isinstance(event, FeedResynced):
        return f"resynced at update {event.sequence}"
    return f"gap: {event.reason}, wanted {event.wanted}, got {event.got}"


def _undefined(path: Path, found: list[tuple[str, str]]) -> ConfigError:
    names = ", ".join(f"{venue}:{symbol}" for venue, symbol in found)
    supported = ", ".join(MARKETS)
    return ConfigError(
        f"{names}: tick and lot size are not known, or the market is none of {supported}",
        where=str(path),
        remedy=f"define the instrument: --instrument {FORM}",
    )
