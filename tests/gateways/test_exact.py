"""Decimal texts become whole steps exactly as `units` would, or are refused."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import BadInput, MalformedLine, OffLot, OffTick
from mm.events.units import to_lots, to_ticks
from mm.gateways import exact
from mm.gateways.exact import StepReader, number

STEPS = st.sampled_from(
    ["0.1", "0.01", "0.00001", "0.5", "0.25", "1", "5", "10", "1E+2", "0.00000001"]
)
TEXTS = st.one_of(
    st.decimals(0, 10**7, places=8).map(lambda value: format(value, "f")),
    st.decimals(0, 10**7, places=2).map(str),
    st.integers(0, 10**8).map(str),
    st.text("0123456789.eE+-_ ", max_size=12),
    st.sampled_from(["", ".", "5.", ".5", "00.10", "1e-3", "NaN", "Infinity", "-0", "١٢", "+1"]),
)


def outcome(convert: Callable[..., int], *args: object) -> int | str:
    """The number of steps, or the word for a refusal."""
    try:
        return convert(*args)
    except (OffTick, OffLot):
        return "off"
    except BadInput:
        return "refused"


def expected(text: str, step: Decimal, *, price: bool) -> int | str:
    """What `units` says of a text that is a plain number within the bounds."""
    if not exact.NUMBER.fullmatch(text) or Decimal(text) < 0:
        return "refused"
    steps = outcome(to_ticks if price else to_lots, Decimal(text), step)
    if isinstance(steps, int):
        low, high = (1, exact.TICKS_MAX) if price else (0, exact.LOTS_MAX)
        return steps if low <= steps <= high else "refused"
    limit = exact.TICKS_MAX if price else exact.LOTS_MAX
    return "refused" if Decimal(text) > limit * step else steps


@given(texts=st.lists(TEXTS, max_size=6), step=STEPS, price=st.booleans())
def test_reader_equals_units(texts: list[str], step: str, price: bool) -> None:
    """Whatever the text and the step, the fast conversion and the plain one agree."""
    reader = StepReader(Decimal(step), price=price)
    for text in texts * 2:  # Remembered texts give what they gave.
        wanted = expected(text, Decimal(step), price=price)
        assert outcome(reader.__getitem__, text) == wanted


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("100.05", OffTick),
        ("NaN", MalformedLine),
        ("-1.0", MalformedLine),
        ("0.0", MalformedLine),
        ("1e400", MalformedLine),
        ("9" * 30, MalformedLine),
        ("1" * 5_000, MalformedLine),
        ("6_1837.6", MalformedLine),
        (" 1.0", MalformedLine),
        ("١٢.٣", MalformedLine),
    ],
)
def test_prices_refused(text: str, error: type[BadInput]) -> None:
    """What is no price is refused by name, however Python itself would read it."""
    with pytest.raises(error):
        StepReader(Decimal("0.1"), price=True)[text]


def test_sizes_may_be_zero() -> None:
    """A size of zero removes a level, so that it is a size."""
    reader = StepReader(Decimal("0.001"), price=False)
    assert reader["0.00000000"] == 0
    with pytest.raises(OffLot):
        reader["0.0005"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed of ever new prices does not fill the memory, and forgetting changes no result."""
    monkeypatch.setattr(exact, "REMEMBERED_MAX", 10)
    reader = StepReader(Decimal("0.1"), price=True)
    assert [reader[f"{n}.0"] for n in range(1, 100)] == [10 * n for n in range(1, 100)]
    assert len(reader) <= 10


def test_number_names_what_it_read() -> None:
    """The error of a bare number says which one it was."""
    with pytest.raises(MalformedLine, match="funding rate 'abc'"):
        number("abc", "funding rate")
    assert number("-0.00002754", "rate") == Decimal("-0.00002754")
