"""The tap: acknowledged events one by one, as JSON, for anyone with a NATS client.

`nats sub 'mm-tap.*.order_filled.>'` follows fills. Subjects are `mm-tap.{desk}.{kind}.{name}`, each
token encoded so that it can hold anything: percent signs as in a URL, and the dots of a kind as
underscores. The tap is lossy and comes after the acknowledgement: when the connection is busy or
away the events are dropped and counted, and nothing of ours depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from mm.events.base import Body, MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.turn import records
from mm.events.vocabulary import tag_of

if TYPE_CHECKING:
    from mm.events.turn import Turn
    from mm.events.units import InstrumentId
    from mm.log.wire import Wire

PREFIX: Final = "mm-tap"
NO_INSTRUMENT: Final = "-"
_encoder: Final = msgspec.json.Encoder(decimal_format="string")


class Tap:
    """Publishes the events of acknowledged turns; `market` adds the public market data."""

    def __init__(self, wire: Wire, desk: str, *, market: bool = False) -> None:
        """Publish for one desk, on the connection its log uses."""
        self._wire = wire
        self._prefix = f"{PREFIX}.{token(desk)}"
        self._market = market
        self._names: dict[InstrumentId, str] = {}
        self.published = 0
        self.dropped = 0

    def learn(self, definition: InstrumentDefined) -> None:
        """Name an instrument that was defined before this tap began."""
        self._names[definition.instrument] = token(definition.name)

    def publish(self, turn: Turn) -> None:
        """Publish what the turn holds; never waits and never fails."""
        if not self._market and not turn.previous_orders:
            return
        for record in records(turn):
            event = record.event
            if isinstance(event, InstrumentDefined):
                self.learn(event)
            if self._market or not isinstance(event, MarketEvent):
                place = {"event": record.number, "turn": record.turn, "at": record.at}
                sent = self._wire.send(self._subject(event), b"", _json(event, place))
                self.published += sent
                self.dropped += not sent

    def _subject(self, event: Body) -> bytes:
        instrument: Any = getattr(event, "instrument", None)
        name = self._names.get(instrument, NO_INSTRUMENT)
        return f"{self._prefix}.{kind_token(type(event))}.{name}".encode()


def _json(event: Body, place: dict[str, int]) -> bytes:
    fields: dict[str, Any] = {"kind": tag_of(type(event)), **place}
    return _encoder.encode(fields | msgspec.structs.asdict(event))


def kind_token(kind: type[Body]) -> str:
    """The subject token of an event kind: `order.filled` becomes `order_filled`."""
    return tag_of(kind).replace(".", "_")


def token(name: str) -> str:
    """Any name as one subject token: no `.`, `*`, `>`, space or control character is left."""
    return quote(name, safe="").replace(".", "%2E") or NO_INSTRUMENT
