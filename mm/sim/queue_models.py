"""How an order moves up in a queue that we see only the length of: arithmetic, nothing else.

One set of functions over numbers, called from plain Python and inside the compiled pass alike.
`front` is what is ahead of us in lots, `traded` what was printed at our price since the depth last
spoke of it, `previous` and `shown` the level's displayed lots before and now. A level that shrinks
by more than was traded was canceled from; a model says how likely the canceled lots stood behind
us. Nothing here may divide by zero or call `math.log`: Python and compiled code would differ.
Formulas and their corner cases are hftbacktest's, `models/queue.rs` as of 2.4; the method:
rigtorp.se, 2013-06-08, "Estimating order queue position", and quant.stackexchange question 3782.
"""

import math
from typing import Final

from mm.errors import ConfigError
from mm.projections.compiled import jitable
from mm.sim.elementary import POWER_MAX, POWER_STEP, ln, power

RISK_AVERSE: Final = 0
POWER: Final = 1
POWER2: Final = 2
POWER3: Final = 3
LOG: Final = 4
LOG2: Final = 5
NUMBERS: Final = {
    "risk-averse": RISK_AVERSE,
    "power": POWER,
    "power2": POWER2,
    "power3": POWER3,
    "log": LOG,
    "log2": LOG2,
}
"""Queue models by the name that settings give them."""
NAMES: Final = {number: name for name, number in NUMBERS.items()}
HALF_A_LOT: Final = 0.5
POWERS: Final = frozenset({POWER, POWER2, POWER3})


def number_of(name: str) -> int:
    """The number of a queue model; raises `ConfigError`."""
    if name not in NUMBERS:
        raise ConfigError(
            f"no queue model is called {name!r}: there are {', '.join(NUMBERS)}",
            where="paper.queue",
            remedy="choose one of these",
        )
    return NUMBERS[name]


def check_power(n: float) -> None:
    """Refuse an exponent that is not computed to the same bits everywhere; `ConfigError`."""
    if not (POWER_STEP <= n <= POWER_MAX and (n / POWER_STEP).is_integer()):
        raise ConfigError(
            f"a queue power of {n} is not a multiple of {POWER_STEP} from it to {POWER_MAX:g}",
            where="paper.queue_power",
            remedy="choose 1, 2, 3 or the like",
        )


def parameter(model: int, n: float, lot_size: float) -> float:
    """What `behind` takes as `n`: the exponent, or for the logarithms what one lot is.

    Logarithms depend on the unit of quantity; hftbacktest's is the base unit, one lot being
    `lot_size` of it.
    """
    return n if model in POWERS else lot_size


@jitable
def _over(dividend: float, divisor: float) -> float:
    """A quotient as IEEE 754 has it, for Python raises where the divisor is zero."""
    if divisor != 0.0:
        return dividend / divisor
    if dividend == 0.0 or math.isnan(dividend):
        return math.nan
    return math.inf


@jitable
def behind(model: int, n: float, front: float, back: float) -> float:
    """The probability that lots canceled from the level stood behind us; 1 if risk-averse.

    With f lots in front and b at the back:
    power    b^n / (b^n + f^n)
    power2   b^n / (b + f)^n
    power3   1 - (f / (f + b))^n
    log      ln(1 + nb) / (ln(1 + nb) + ln(1 + nf))
    log2     ln(1 + nb) / ln(1 + nb + nf)
    Not a number where that is 0/0; 1 where it is infinite, as hftbacktest has it.
    """
    if model == POWER:
        some = power(back, n)
        p = _over(some, some + power(front, n))
    elif model == POWER2:
        p = _over(power(back, n), power(back + front, n))
    elif model == POWER3:
        p = 1.0 - power(_over(front, front + back), n)
    elif model == LOG:
        some = ln(1.0 + n * back)
        p = _over(some, some + ln(1.0 + n * front))
    elif model == LOG2:
        p = _over(ln(1.0 + n * back), ln(1.0 + (n * back + n * front)))
    else:
        p = 1.0
    if math.isinf(p):
        return 1.0
    return p


@jitable
def after_depth(
    model: int, n: float, front: float, traded: float, previous: float, shown: float
) -> float:
    """What is ahead of us once the level shows `shown`; `traded` starts from 0 again.

    chg = previous - shown - traded; if chg < 0 or risk-averse: min(front, shown); else, with
    back = previous - front and p = behind(front, back):
    min(front - (1 - p) chg + min(back - p chg, 0), shown), and `shown` where p is not a number.
    May be negative: see `moved_up`.
    """
    change = previous - shown - traded
    if model == RISK_AVERSE or change < 0.0:
        return min(front, shown)
    back = previous - front
    p = behind(model, n, front, back)
    if math.isnan(p):
        return shown
    moved = front - (1.0 - p) * change + min(back - p * change, 0.0)
    return min(moved, shown)


@jitable
def moved_up(
    model: int, n: float, front: float, traded: float, previous: float, shown: float
) -> float:
    """`after_depth` where the queue is shared honestly: from 0 to `shown`, no less, no more.

    Where more is ahead than was ever shown (the level lay deeper than the feed) nothing is known
    of what was canceled: what is shown now is ahead.
    """
    if front > previous:
        return min(front, shown)
    return max(0.0, after_depth(model, n, front, traded, previous, shown))


@jitable
def after_trade(front: float, traded: float, size: float) -> tuple[float, float]:
    """What is ahead of us, and what was traded since the depth spoke, after a print of `size`."""
    return front - size, traded + size


@jitable
def exceeded(front: float) -> bool:
    """Whether prints went past us by at least half a lot: hftbacktest's round(-front / lot) > 0."""
    return front <= -HALF_A_LOT


@jitable
def reach(front: float, volume: float) -> int:
    """The whole lots of a printed volume that come to us once what is ahead is served."""
    return max(0, math.floor(volume - front))
