"""Numbers and times as Kraken writes them.

Numbers in WebSocket v2 are bare, with all decimals of the pair, so that a client which reads them
as decimals can verify checksums; REST quotes them.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zlib import crc32

import msgspec

from mm.emulator.binance.digits import Digits, places_of
from mm.events.instrument import InstrumentDefined
from mm.events.units import EXACT, SECONDS, Nanos

PLACES: Final = 8
SUMMED: Final = 10
Rows = list[tuple[int, int]]
encode: Final = msgspec.json.encode


def bare(text: str) -> msgspec.Raw:
    """A number without quotes, digit for digit."""
    return msgspec.Raw(text.encode())


def money(value: Decimal, places: int = PLACES) -> str:
    """A decimal with so many places."""
    return f"{value.quantize(Decimal(1).scaleb(-places), context=EXACT):f}"


def number(value: Decimal, places: int = PLACES) -> msgspec.Raw:
    """A decimal without quotes."""
    return bare(money(value, places))


def moment(at: int) -> str:
    """A time as WebSocket v2 writes it, in microseconds."""
    whole, rest = divmod(at, SECONDS)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000:06d}Z"


def stamp(at: int) -> msgspec.Raw:
    """A time as REST writes it, in seconds."""
    whole, rest = divmod(at, SECONDS)
    return bare(f"{whole}.{rest // 1_000:06d}")


class PairWords:
    """Prices and sizes of one pair."""

    def __init__(self, instrument: InstrumentDefined) -> None:
        """Write with the decimals of its steps."""
        self.price_places = places_of(instrument.tick_size)
        self.size_places = places_of(instrument.lot_size)
        self._digits = Digits(instrument, None)

    def price(self, ticks: int) -> str:
        """A price."""
        return self._digits.price(ticks)

    def size(self, lots: int) -> str:
        """A size."""
        return self._digits.size(lots)

    def levels(self, rows: Rows) -> list[dict[str, Any]]:
        """Levels of a book frame."""
        return [{"price": bare(self.price(p)), "qty": bare(self.size(s))} for p, s in rows]

    def checksum(self, bids: Rows, asks: Rows) -> int:
        """Of the ten best of each side, the best first."""
        text = ""
        for price, size in (*asks[:SUMMED], *bids[:SUMMED]):
            for shown in (self.price(price), self.size(size)):
                text += shown.replace(".", "").lstrip("0")
        return crc32(text.encode())


def seconds(at: Nanos) -> int:
    """Whole seconds."""
    return at // SECONDS
