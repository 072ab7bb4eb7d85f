"""A rate as somebody published it, and the port of those who publish rates.

A source is a document at an address and a reader of it. A reader is pure: bytes in, a quote out, or
`BadInput` that says what is wrong with the document.
"""

import hashlib
from decimal import Context, Decimal
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

import msgspec

from mm.errors import BadInput, ConfigError, CrossedBook
from mm.events.units import EXACT, Nanos
from mm.gateways.exact import number

DOCUMENT: Final = "see what the source publishes; until it is right the next source is asked"

DIGITS: Final = Context(prec=12)
"""Of what is divided: no rate was published with more."""


class Basis(StrEnum):
    """What a rate is: prices a bank posts, one figure of the day, or what somebody trades at."""

    BOARD = "board"
    MID = "mid"
    DERIVED = "derived"
    TRADED = "traded"


class Pair(NamedTuple):
    """One unit of `base` in `quote`."""

    base: str
    quote: str

    def __str__(self) -> str:
        """As it is written everywhere: `USD/TWD`."""
        return f"{self.base}/{self.quote}"


class RateQuote(msgspec.Struct, frozen=True, kw_only=True):
    """One quote. `quoted_at` is 0 where the document does not say when it was made.

    It is not to be relied on after `valid_until`; `raw_sha` is the SHA-256 of the document.
    """

    pair: Pair
    bid: Decimal
    ask: Decimal
    kind: Basis
    source: str
    quoted_at: Nanos
    received_at: Nanos
    raw_sha: str
    valid_until: Nanos = Nanos(0)

    @property
    def mid(self) -> Decimal:
        """Half way between bid and ask."""
        return EXACT.divide(EXACT.add(self.bid, self.ask), Decimal(2))


class Told(NamedTuple):
    """What a reader found in a document."""

    bid: Decimal
    ask: Decimal
    kind: Basis
    quoted_at: Nanos = Nanos(0)


class Source(Protocol):
    """One publisher; `name` is what configs and the log call it."""

    @property
    def name(self) -> str:
        """As configs name it."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Whom it talks to."""
        ...

    def url(self, pair: Pair) -> str:
        """Where the document is; raises `ConfigError` for a pair that it does not publish."""
        ...

    def read(self, pair: Pair, body: bytes) -> Told:
        """What the document says; raises `BadInput`."""
        ...


class ReferenceRateProvider(Protocol):
    """Whoever can be asked for one pair's rate."""

    async def fetch(self) -> RateQuote:
        """The quote as of now; raises `VenueSaid` without an answer, `BadInput` for a bad one."""
        ...


def pair_from(text: str) -> Pair:
    """A pair as a config writes it; raises `ConfigError`."""
    base, _, quote = text.partition("/")
    if not (base.isalnum() and quote.isalnum() and text == text.upper() and base != quote):
        raise ConfigError(
            f"{text!r} is no pair of currencies",
            where="reference.pairs",
            remedy="write it as USD/TWD",
        )
    return Pair(base, quote)


def price(text: str, what: str) -> Decimal:
    """A price of a document; zero means that there is none. Raises `BadInput`."""
    found = number(text.strip(), what)
    if found == 0:
        raise BadInput(f"{what} is 0: there is no quote", remedy=DOCUMENT)
    if found < 0:
        raise BadInput(f"{what} is {text.strip()}", remedy=DOCUMENT)
    return found


def spread(bid: Decimal, ask: Decimal) -> tuple[Decimal, Decimal]:
    """Both sides, in order; raises `CrossedBook`."""
    if bid > ask:
        raise CrossedBook(f"who sells pays {bid}, who buys gets it for {ask}", remedy=DOCUMENT)
    return bid, ask


def turned(told: Told) -> Told:
    """The same for the inverse pair, which nobody has published so."""
    one = Decimal(1)
    return told._replace(
        bid=DIGITS.divide(one, told.ask), ask=DIGITS.divide(one, told.bid), kind=Basis.DERIVED
    )


def text_of(body: bytes, *encodings: str) -> str:
    """A document's text in the first encoding that it can be; raises `BadInput`."""
    for encoding in encodings:
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput(f"it is no text in {' or '.join(encodings)}", remedy=DOCUMENT)


def digest(body: bytes) -> str:
    """What a quote keeps of its document."""
    return hashlib.sha256(body).hexdigest()
