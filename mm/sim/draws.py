"""Random numbers by counting: the same for the same seed, stream and number, whoever asks.

No state: a draw depends on nothing else. Two lanes of 32 bits, each mixed by the finalizer that
C. Wellons found to be the least biased of its form ("Prospecting for hash functions", 2018,
lowbias32). Nothing here exceeds 63 bits: compiled code may take for granted that signed integers
do not overflow, and Python's never do.
"""

from typing import Final

from mm.projections.compiled import jitable

WORD: Final = (1 << 32) - 1
FIRST: Final = 0x7FEB352D
SECOND: Final = 0x846CA68B - (1 << 32)
"""The multiplier less 2^32: the same modulo 2^32, and no product is too large."""
STEP: Final = 0x9E3779B9
LANES: Final = (0x243F6A88, 0x85A308D3)
FRACTION: Final = 2.0**-53

ENTRY: Final = 1
"""The stream of delays of our commands."""
RESPONSE: Final = 2
"""The stream of delays of what the venue says."""
ARRIVALS: Final = 3
"""The stream of takers in the Poisson model."""


@jitable
def mixed(word: int) -> int:
    """32 bits in which each depends on every bit of the 32 given; no two words give the same."""
    word ^= word >> 16
    word = (word * FIRST) & WORD
    word ^= word >> 15
    word = (word * SECOND) & WORD
    return word ^ (word >> 16)


@jitable
def absorbed(lane: int, number: int) -> int:
    """A lane after it took in the 64 bits of a number."""
    lane = mixed(((lane ^ (number & WORD)) + STEP) & WORD)
    return mixed(((lane ^ ((number >> 32) & WORD)) + STEP) & WORD)


@jitable
def drawn(seed: int, stream: int, number: int) -> int:
    """Draw `number` of a stream: uniform over 63 bits."""
    high = absorbed(absorbed(absorbed(LANES[0], seed), stream), number)
    low = absorbed(absorbed(absorbed(LANES[1], seed), stream), number)
    return ((high >> 1) << 32) | low


@jitable
def fraction(seed: int, stream: int, number: int) -> float:
    """The same draw as a number from 0, included, to 1."""
    return (drawn(seed, stream, number) >> 10) * FRACTION


@jitable
def between(least: int, most: int, draw: int) -> int:
    """A draw brought into a range of integers, both ends included."""
    return least + draw % (most - least + 1)
