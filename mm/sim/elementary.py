"""Logarithm, exponential and power that come to the same bits everywhere.

Made of additions, multiplications, divisions and square roots alone, which IEEE 754 defines to the
last bit: Python, compiled code and another machine agree. Within two units in the last place of
the true value; the error is of no interest here, agreement is.
"""

import math
from typing import Final

from mm.projections.compiled import jitable

LN2_HIGH: Final = 0.693147180369123816490
"""The first 33 bits of ln 2, so that times a small integer it is exact."""
LN2_LOW: Final = 1.90821492927058770002e-10
ROOT_HALF: Final = 0.7071067811865476
EXP_MAX: Final = 709.0
POWER_STEP: Final = 0.25
POWER_MAX: Final = 16.0


@jitable
def ln(x: float) -> float:
    """The natural logarithm: the series of 2 artanh((m - 1) / (m + 1)) where x = m 2^e.

    Not a number below zero, minus infinity at zero.
    """
    if math.isnan(x) or x < 0.0:
        return math.nan
    if x == 0.0:
        return -math.inf
    if x == math.inf:
        return x
    mantissa, exponent = math.frexp(x)
    if mantissa < ROOT_HALF:
        mantissa *= 2.0
        exponent -= 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    total = 0.0
    for k in range(23, 1, -2):
        total = (total + 1.0 / k) * z
    return exponent * LN2_HIGH + (2.0 * s + (2.0 * s * total + exponent * LN2_LOW))


@jitable
def exp(x: float) -> float:
    """The exponential: Taylor's series of what is left after powers of two; 0 below -709.

    Infinity above 709.
    """
    if math.isnan(x):
        return math.nan
    if x > EXP_MAX:
        return math.inf
    if x < -EXP_MAX:
        return 0.0
    exponent = math.floor(x / (LN2_HIGH + LN2_LOW) + 0.5)
    rest = (x - exponent * LN2_HIGH) - exponent * LN2_LOW
    total = 1.0
    for k in range(16, 0, -1):
        total = 1.0 + total * rest / k
    return math.ldexp(total, exponent)


@jitable
def power(x: float, n: float) -> float:
    """A power, for n a multiple of 0.25 from 0 to 16: products and square roots.

    Not a number for a negative x and an n that is not whole, as with the usual power.
    """
    whole = math.floor(n)
    rest = n - whole
    total = 1.0
    for _ in range(whole):
        total *= x
    if rest == 0.0:
        return total
    if x < 0.0:
        return math.nan
    root = math.sqrt(x)
    if rest >= 2 * POWER_STEP:
        total *= root
    if rest != 2 * POWER_STEP:
        total *= math.sqrt(root)
    return total
