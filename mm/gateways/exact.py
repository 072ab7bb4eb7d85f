"""Decimal texts to whole ticks and lots, exactly and fast.

A venue repeats the same few thousand prices and sizes for hours, so a reader remembers what it
has read: most conversions are one dictionary look-up, the rest integer arithmetic on the digits.
What comes out equals `units.to_ticks` and `units.to_lots`; what these refuse is refused here with
the same error, and so are negative values and values past the limits below.
"""

import re
from decimal import Decimal
from typing import Final

from mm.errors import MalformedLine, OffTick
from mm.events.units import to_lots, to_ticks

TICKS_MAX: Final = 1 << 40
"""A price beyond this many ticks is taken for damage, not for a market."""
LOTS_MAX: Final = 1 << 53
"""A size beyond this many lots is taken for damage, not for a market."""
REMEMBERED_MAX: Final = 1 << 17
TEXT_MAX: Final = 48
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
"""Python's own reader would also take underscores, spaces and the digits of other scripts."""


def number(text: str, what: str) -> Decimal:
    """A finite decimal; raises `MalformedLine` on anything else."""
    if len(text) > TEXT_MAX or not NUMBER.fullmatch(text):
        raise MalformedLine(
            f"{what} {text[:TEXT_MAX]!r} is not a finite number",
            remedy="correct or drop the value",
        )
    return Decimal(text)


class StepReader(dict[str, int]):
    """Maps a decimal text to a whole number of steps; `reader[text]` converts and remembers.

    Raises `OffTick` or `OffLot` for a text between two steps, `MalformedLine` for one that is no
    number, is negative or lies past the limits. With `strays` a price between two ticks is 0, which
    no other is.
    """

    __slots__ = ("_digits", "_max", "_min", "_price", "_step", "_strays", "_units")

    def __init__(self, step: Decimal, *, price: bool, strays: bool = False) -> None:
        """Read prices (at least one tick) or sizes (zero allowed) in steps of `step`."""
        super().__init__()
        assert step > 0, f"a step of {step}"
        self._step = step
        self._price = price
        self._strays = strays
        self._digits = max(0, -int(step.normalize().as_tuple().exponent))
        self._units = int(step.scaleb(self._digits))
        self._min, self._max = (1, TICKS_MAX) if price else (0, LOTS_MAX)

    def __missing__(self, text: str) -> int:
        """Convert a text that is met for the first time."""
        try:
            count = self._convert(text)
        except OffTick:
            if not self._strays:
                raise
            count = 0
        if not self._min <= count <= self._max and not (self._strays and count == 0):
            raise MalformedLine(f"{self._what} {text} is out of all bounds")
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        self[text] = count
        return count

    @property
    def value_max(self) -> Decimal:
        """The greatest value that is not taken for damage."""
        return self._max * self._step

    @property
    def _what(self) -> str:
        return "price" if self._price else "size"

    def _convert(self, text: str) -> int:
        whole, _, fraction = text.partition(".")
        plain = len(text) <= TEXT_MAX and text.isascii() and (whole + fraction).isdigit()
        kept, dropped = fraction[: self._digits], fraction[self._digits :]
        if not plain or dropped.strip("0"):
            return self._convert_slowly(text)
        count, rest = divmod(int(whole + kept.ljust(self._digits, "0")), self._units)
        return self._convert_slowly(text) if rest else count

    def _convert_slowly(self, text: str) -> int:
        """Exponents, signs and everything that will be refused."""
        value = number(text, self._what)
        if value < 0 or value > self.value_max:
            raise MalformedLine(f"{self._what} {text} is out of all bounds")
        return to_ticks(value, self._step) if self._price else to_lots(value, self._step)
