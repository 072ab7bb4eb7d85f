"""What the instrument is worth now: the rules by name; their arithmetic is in `rules`."""

from enum import StrEnum


class FairValue(StrEnum):
    """Middle of the touch, or the touch weighted by the opposite sizes."""

    MID = "mid"
    MICROPRICE = "microprice"
