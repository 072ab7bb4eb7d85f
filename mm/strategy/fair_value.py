"""What the instrument is worth now, in fractional ticks, from the touch of its book."""

from enum import StrEnum

from mm.projections.book import Book


class FairValue(StrEnum):
    """The rules by name."""

    MID = "mid"
    MICROPRICE = "microprice"


def fair_value(rule: FairValue, book: Book) -> float:
    """The fair value of a two-sided book; the microprice leans to the thinner side's price."""
    return book.microprice if rule is FairValue.MICROPRICE else book.mid
