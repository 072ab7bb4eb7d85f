"""Which events are wanted: by kind, by instrument, by order.

Kinds are tags or patterns (`order.*`), names are compared without case, and a name that nothing on
the log has is refused with the nearest ones beside it: an empty answer would look like an answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from mm.apps.wording import Instruments
from mm.errors import ConfigError
from mm.events.base import Body, MarketEvent
from mm.events.turn import Record
from mm.events.units import InstrumentId
from mm.events.vocabulary import KINDS

NEAREST_MAX: Final = 3
IDS: Final = ("order_id", "venue_order_id", "client_order_id")


class Selection(msgspec.Struct, frozen=True):
    """What is wanted; an empty condition lets everything pass."""

    kinds: tuple[type[Body], ...] = ()
    symbol: str = ""
    order: str = ""

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.kinds or self.symbol or self.order)

    @property
    def orders_only(self) -> bool:
        """Whether all that is wanted stands in turns that touch orders or control."""
        kinds = [kind for kind in self.kinds if issubclass(kind, MarketEvent)]
        return bool(self.order) or (bool(self.kinds) and not kinds)

    def takes(self, record: Record, instruments: Instruments) -> bool:
        """Whether an event is wanted."""
        event = record.event
        if self.kinds and type(event) not in self.kinds:
            return False
        if self.order and self.order not in [getattr(event, name, None) for name in IDS]:
            return False
        return not self.symbol or self._about_symbol(record, instruments)

    def _about_symbol(self, record: Record, instruments: Instruments) -> bool:
        number: InstrumentId | None = getattr(record.event, "instrument", None)
        if number is None:
            return False
        instrument = instruments.at(number, record.number)
        return instrument is not None and _is_named(instrument.name, self.symbol)


def selection(kinds: Iterable[str] = (), symbol: str = "", order: str = "") -> Selection:
    """Conditions as they are typed; raises `ConfigError` for a kind that does not exist."""
    words = [word for text in kinds for word in text.replace(",", " ").split()]
    chosen = [kind for word in words for kind in _kinds(word)]
    return Selection(tuple(dict.fromkeys(chosen)), symbol, order)


def _kinds(word: str) -> list[type[Body]]:
    wanted = word.lower()
    found = [kind for tag, kind in KINDS.items() if fnmatchcase(tag, wanted)]
    if not found:
        raise ConfigError(
            f"there is no kind of event {word!r}{_nearest(wanted, sorted(KINDS))}",
            where="--kind",
            remedy="`mm log stats` lists the kinds on a log; 'order.*' takes a whole family",
        )
    return found


def require_symbol(symbol: str, instruments: Instruments, where: str) -> None:
    """Raise `ConfigError` when no instrument of the log has that name."""
    names = instruments.names()
    if symbol and not any(_is_named(name, symbol) for name in names):
        both = [*names, *(name.partition(":")[2] for name in names)]
        raise ConfigError(
            f"no instrument on this log is called {symbol!r}{_nearest(symbol.upper(), both)}",
            where=where,
            remedy=f"choose one of {', '.join(names) or 'none: no instrument is defined'}",
        )


def _is_named(name: str, wanted: str) -> bool:
    """`venue:symbol`, or the symbol alone."""
    wanted = wanted.lower()
    return wanted in (name.lower(), name.partition(":")[2].lower())


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=NEAREST_MAX, cutoff=0.5)
    near += [name for name in known if word in name and name not in near]
    return f"; did you mean {' or '.join(near[:NEAREST_MAX])}?" if near else ""
