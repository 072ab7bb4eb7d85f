"""What a venue's public side has to offer: connections to open, and a parser of what they say.

Whoever runs the connections knows no venue: dialling, back-off, silence, rotation and REST are one
implementation for all. A parser is pure but for its own state (the joining of snapshots and
updates): no clock, no IO. So a live socket, a capture and frames kept by `--raw` are parsed by the
same calls, and history can be parsed anew.
"""

from typing import NamedTuple, Protocol

import msgspec

from mm.events.instrument import InstrumentDefined
from mm.events.units import InstrumentId, Nanos
from mm.events.vocabulary import Market


class Frame(NamedTuple):
    """What was heard at once: a message of a socket or the body of a REST answer, as it came.

    `channel` names the connection or the request that brought it; a parser routes by it.
    """

    received: Nanos
    channel: str
    body: bytes


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A socket to hold open: where, what to say first, and how long it may live.

    `pings` is a text to send every `ping_every`, where the venue wants more than protocol pings.
    It is dead after `silence_max` without a frame, and replaced before `life_max` has passed.
    """

    channel: str
    url: str
    hello: tuple[bytes, ...]
    silence_max: Nanos
    life_max: Nanos
    ping: bytes = b""
    ping_every: Nanos = Nanos(0)
    instruments: tuple[InstrumentId, ...] = ()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Something to ask over REST, a snapshot perhaps; its answer comes to the parser as a frame."""

    channel: str
    url: str
    weight: int = 1


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """Something to say on an open connection: to subscribe anew, to answer a ping."""

    channel: str
    text: bytes


class Renew(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to replace soon: the venue has said that it will close it."""

    channel: str


class Parser(Protocol):
    """Frames of all connections of a venue in, facts out."""

    def parse(self, frame: Frame) -> list[Market]:
        """The facts of a frame; raises `BadInput` and is then as it was before."""
        ...

    def connected(self, channel: str, received: Nanos) -> list[Market]:
        """A connection stands (`FeedUp` of what it carries); its books begin anew."""
        ...

    def disconnected(self, channel: str, received: Nanos, reason: str) -> list[Market]:
        """It stands no more, and no other carries the same (`FeedDown`)."""
        ...

    def missed(self, channel: str, received: Nanos, reason: str) -> list[Market]:
        """A frame was refused or dropped: what depended on it is a gap now."""
        ...

    def wants(self, received: Nanos) -> list[Request | Say | Renew]:
        """What the books need next to be whole; each is named once until it was answered."""
        ...


class MarketPort(Protocol):
    """One venue's public market data."""

    @property
    def venue(self) -> str:
        """As instruments name it: `binance`, `kraken`."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host it talks to, and no other."""
        ...

    def definitions(self) -> tuple[Request, ...]:
        """What to ask to know the instruments."""
        ...

    def instruments(
        self, answers: tuple[Frame, ...], symbols: tuple[str, ...]
    ) -> tuple[InstrumentDefined, ...]:
        """The instruments named, numbered from 1; raises `ConfigError` for one that is not there.

        Raises `BadInput` where an answer is not what it should be.
        """
        ...

    def closed(
        self, answers: tuple[Frame, ...], instruments: tuple[InstrumentDefined, ...]
    ) -> dict[InstrumentId, str]:
        """Why instruments have no market now; those that have one are not named.

        A venue that says so on its sockets names none here.
        """
        ...

    def polls(
        self, connection: Connection, instruments: tuple[InstrumentDefined, ...]
    ) -> tuple[Request, ...]:
        """What to ask again and again while a connection cannot be had; nothing where it helps not.

        Between a `connected` and a `disconnected` of the channel `poll/<connection's channel>`.
        """
        ...

    def connections(self, instruments: tuple[InstrumentDefined, ...]) -> tuple[Connection, ...]:
        """The sockets that carry them."""
        ...

    def parser(self, instruments: tuple[InstrumentDefined, ...]) -> Parser:
        """A parser that has heard nothing yet."""
        ...
