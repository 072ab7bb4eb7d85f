"""How long to wait before trying again: twice as long each time, never exactly, never for ever.

What a venue asks for (`Retry-After`) is waited for whole; the chance in it keeps many clients from
coming back in one moment.
"""

import random
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

SECONDS_MIN: Final = 0.25
SECONDS_MAX: Final = 30.0
ASKED_SECONDS_MAX: Final = 86_400.0
"""A venue that asks for more is asked again after this; a ban may be lifted earlier."""
EPOCH_SECONDS: Final = 1_000_000_000.0
"""A `Retry-After` beyond this is a time of day, not a delay: one venue writes it so."""


class Backoff:
    """Delays before tries, growing until `reset`."""

    def __init__(
        self, chance: random.Random, seconds_min: float = SECONDS_MIN, most: float = SECONDS_MAX
    ) -> None:
        """Start with the shortest delay."""
        self._chance = chance
        self._min = seconds_min
        self._max = most
        self.tries = 0

    def reset(self) -> None:
        """It worked."""
        self.tries = 0

    def seconds(self, asked: float = 0.0) -> float:
        """The next delay, at least what was asked for."""
        grown = min(self._max, self._min * 2.0 ** min(self.tries, 32))
        self.tries += 1
        return min(asked, ASKED_SECONDS_MAX) + grown * (0.5 + self._chance.random() / 2)


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds that an answer's headers ask to wait: a delay, a date, or Unix seconds; else 0."""
    text = headers.get("Retry-After", "").strip()
    try:
        found = float(text)
    except ValueError:
        try:
            found = parsedate_to_datetime(text).timestamp()
        except ValueError:
            return 0.0
    found = found - now if found > EPOCH_SECONDS else found
    return found if 0 < found < float("inf") else 0.0
