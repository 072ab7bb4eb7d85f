"""Numbers as Binance writes them: decimals as texts of a fixed length."""

from decimal import Decimal
from typing import Final

from mm.events.instrument import InstrumentDefined
from mm.events.units import EXACT

SPOT_PLACES: Final = 8


def text(value: Decimal, places: int = SPOT_PLACES) -> str:
    """A decimal with so many places, rounded half to even."""
    return f"{value.quantize(Decimal(1).scaleb(-places), context=EXACT):f}"


def places_of(step: Decimal) -> int:
    """How many decimals a step has."""
    return max(0, -int(step.normalize().as_tuple().exponent))


class Digits:
    """Prices and sizes of one instrument; whole numbers all the way."""

    def __init__(self, instrument: InstrumentDefined, places: int | None = SPOT_PLACES) -> None:
        """Write with so many decimals, with those of the steps where that is None."""
        self._price_places = places_of(instrument.tick_size) if places is None else places
        self._size_places = places_of(instrument.lot_size) if places is None else places
        self._tick = int(instrument.tick_size.scaleb(self._price_places))
        self._lot = int(instrument.lot_size.scaleb(self._size_places))

    def price(self, ticks: int) -> str:
        """A price."""
        return _fixed(ticks * self._tick, self._price_places)

    def size(self, lots: int) -> str:
        """A size."""
        return _fixed(lots * self._lot, self._size_places)

    def rows(self, levels: tuple[int, ...]) -> list[list[str]]:
        """Levels as they stand in an event."""
        price, size = self.price, self.size
        return [[price(levels[at]), size(levels[at + 1])] for at in range(0, len(levels), 2)]

    def levels(self, levels: list[tuple[int, int]]) -> list[list[str]]:
        """Levels as a book gives them."""
        return [[self.price(price), self.size(size)] for price, size in levels]


def _fixed(number: int, places: int) -> str:
    if not places:
        return str(number)
    sign = "-" if number < 0 else ""
    whole, rest = divmod(abs(number), 10**places)
    return f"{sign}{whole}.{rest:0{places}d}"
