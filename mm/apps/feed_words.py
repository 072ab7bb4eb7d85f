"""What is said on the bus around a market-data service: subjects, requests and answers.

Outsiders speak JSON: they ask for a book by exchange and symbol and hear it whole after each
update. Desks of ours ask for `events` and hear the facts themselves, MessagePack, numbered so that
a missing message shows. Any symbol is one token of a subject: what NATS gives a meaning, `%` and
what cannot be printed are percent signs as in a URL, while `/` and `:` stay as traders write them.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from mm.errors import BadInput, ConfigError
from mm.events.vocabulary import Fact

PREFIX: Final = "mm"
SYMBOL_MAX: Final = 64
PER_SECOND_MAX: Final = 50
_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{1,32}(\.[A-Za-z0-9_-]{1,32}){0,3}", re.ASCII)
_KEPT: Final = "/:"


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a subscription and of its heartbeats: the same body means the same stream.

    `per_second_max` bounds the rate (0: every update); `events` asks for facts, not books.
    """

    symbol: str
    per_second_max: int = 0
    events: bool = False


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Facts as they were heard at once; `number` counts the messages of one `run` of a stream."""

    run: str
    number: int
    facts: tuple[Fact, ...]


class Beginning(msgspec.Struct, frozen=True, array_like=True):
    """What a desk begins with: the state after message `number`, to be followed by the next.

    Without facts the stream is not open yet, or refused for the `reason`.
    """

    run: str
    number: int
    facts: tuple[Fact, ...]
    reason: str = ""


class BookBody(msgspec.Struct, frozen=True, kw_only=True):
    """A whole book for outsiders: levels are [price, size], best first, in decimal digits.

    `status` is `live`, or says why there are no levels: `opening`, `gap`, `down`, `closed`,
    `refused`; a `stale` book is the last one heard. `timestamp` is the venue's, else that of
    receipt, in milliseconds; `nonce` the venue's update id.
    """

    exchange: str
    symbol: str
    status: str
    bids: msgspec.Raw = msgspec.Raw(b"[]")
    asks: msgspec.Raw = msgspec.Raw(b"[]")
    timestamp: int = 0
    nonce: int = 0
    reason: str = ""


_wanted: Final = msgspec.json.Decoder(Wanted)
_packer: Final = msgspec.msgpack.Encoder(decimal_format="string")
_batches: Final = msgspec.msgpack.Decoder(Batch)
_beginnings: Final = msgspec.msgpack.Decoder(Beginning)
pack: Final = _packer.encode
NO_BATCH: Final = "both sides of a feed service have to be of one version of mm"


def wanted_from(body: bytes) -> Wanted:
    """What a body asks for; raises `BadInput`."""
    try:
        wanted = _wanted.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the request cannot be read: {error}", remedy='write {"symbol": "BTC/USDT"}'
        ) from error
    if not 0 < len(wanted.symbol) <= SYMBOL_MAX:
        raise BadInput("the request names no symbol", remedy='write {"symbol": "BTC/USDT"}')
    if not 0 <= wanted.per_second_max <= PER_SECOND_MAX or (
        wanted.events and wanted.per_second_max
    ):
        raise BadInput(
            f"per_second_max = {wanted.per_second_max} cannot be had",
            remedy=f"ask for 1 to {PER_SECOND_MAX} books a second, or leave it out; events are "
            "never left out",
        )
    return wanted


def batch_from(body: bytes) -> Batch:
    """A message of facts; raises `BadInput`."""
    try:
        return _batches.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(f"facts cannot be read: {error}", remedy=NO_BATCH) from error


def beginning_from(body: bytes) -> Beginning:
    """The answer to a subscription to facts; raises `BadInput`."""
    try:
        return _beginnings.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(f"facts cannot be read: {error}", remedy=NO_BATCH) from error


def token(name: str) -> str:
    """A name as one token of a subject."""
    return quote(name, safe=_KEPT).replace(".", "%2E")


class Subjects(NamedTuple):
    """The subjects of one service."""

    prefix: str

    @property
    def subscriptions(self) -> str:
        """Of subscriptions to any exchange."""
        return f"{self.prefix}.subscriptions.orderbook.*"

    @property
    def heartbeats(self) -> str:
        """Of heartbeats for any exchange."""
        return f"{self.prefix}.heartbeat.orderbook.*"

    @property
    def books(self) -> str:
        """Of every book at its full rate."""
        return f"{self.prefix}.orderbook.*.*"

    def subscription(self, exchange: str) -> str:
        """Where an exchange's streams are asked for."""
        return f"{self.prefix}.subscriptions.orderbook.{token(exchange)}"

    def heartbeat(self, exchange: str) -> str:
        """Where they are kept."""
        return f"{self.prefix}.heartbeat.orderbook.{token(exchange)}"

    def stream(self, exchange: str, wanted: Wanted) -> str:
        """Where what is wanted is published."""
        if wanted.events:
            return f"{self.prefix}.events.{token(exchange)}.{token(wanted.symbol)}"
        book = f"{self.prefix}.orderbook.{token(exchange)}.{token(wanted.symbol)}"
        return f"{book}.{wanted.per_second_max}" if wanted.per_second_max else book


def subjects(prefix: str) -> Subjects:
    """Subjects that begin with a prefix; raises `ConfigError`."""
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            f"{prefix!r} cannot begin a subject",
            where="--prefix",
            remedy="use letters, digits, '-' and '_', and '.' between them",
        )
    return Subjects(prefix)
