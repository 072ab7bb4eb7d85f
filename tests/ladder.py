"""What only compiled code does with the ladder, as Python can call it."""

from mm.projections import ladder
from mm.projections.compiled import njit


@njit(cache=True)
def set_level(m: int, book: int, side: int, price: int, size: int) -> None:
    """What compiled code does, as Python can call it."""
    ladder.set_level(m, book, side, price, size)


@njit(cache=True)
def next_key(m: int, book: int, side: int, key: int) -> int:
    """What compiled code finds, as Python can call it."""
    return ladder.next_key(m, book, side, key)


@njit(cache=True)
def shown(m: int, book: int, side: int, price: int) -> int:
    """What compiled code finds, as Python can call it."""
    return ladder.shown(m, book, side, price)
