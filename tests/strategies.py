"""Any event and any chain of turns, derived from the structs' own annotations.

`example` gives one fixed event of a kind, `events` and `chains` arbitrary ones for Hypothesis. A
new kind or field needs nothing here, unless it has a type that no event had before.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args

from hypothesis import strategies as st
from msgspec import inspect

from mm.events.base import MarketEvent
from mm.events.units import INT64_MAX, Nanos
from mm.events.vocabulary import KINDS, Decision, Fact
from mm.log.chain import START, Head, Sealed, advance, seal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mm.events.base import Body

FACTS: Final = get_args(Fact)
DECISIONS: Final = get_args(Decision)
MARKET: Final = tuple(kind for kind in FACTS if issubclass(kind, MarketEvent))

Step = tuple[int, list[Any], list[Any]]
"""Nanoseconds since the turn before, facts, decisions."""

_ints = st.integers(-INT64_MAX - 1, INT64_MAX)
_levels = st.lists(st.tuples(_ints, _ints), max_size=5).map(
    lambda pairs: tuple(number for pair in pairs for number in pair)
)


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    match kind:
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.VarTupleType():
            return _levels
        case inspect.IntType():
            return _ints
        case inspect.BoolType():
            return st.booleans()
        case inspect.StrType():
            return st.text(max_size=12)
        case inspect.DecimalType():
            return st.decimals(allow_nan=False, allow_infinity=False)
    raise AssertionError(f"no strategy for {kind}: add one")


def fields(kind: type[Body]) -> tuple[inspect.Field, ...]:
    """The fields of a kind of event."""
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found.fields


def events(kinds: Iterable[type[Body]] = tuple(KINDS.values())) -> st.SearchStrategy[Any]:
    """Any event of these kinds."""
    return st.one_of(
        [
            st.builds(kind, **{field.name: values(field.type) for field in fields(kind)})
            for kind in kinds
        ]
    )


def steps() -> st.SearchStrategy[Step]:
    """What goes into one turn: market data only, or orders and control as well."""
    gaps = st.one_of(st.just(0), st.integers(1, 10**9), st.integers(1, 3 * 86_400 * 10**9))
    market = st.lists(events(MARKET), min_size=1, max_size=4)
    facts = st.lists(events(FACTS), min_size=1, max_size=4)
    decisions = st.lists(events(DECISIONS), max_size=3)
    return st.one_of(
        st.tuples(gaps, market, st.just([])),
        st.tuples(gaps, facts, decisions),
        st.tuples(gaps, st.just([]), st.lists(events(DECISIONS), min_size=1, max_size=3)),
    )


def chained(turns: Iterable[Step], head: Head = START) -> list[Sealed]:
    """The turns that these steps make, each following the one before."""
    sealed = []
    for gap, facts, decisions in turns:
        sealed.append(seal(head, Nanos(head.at + gap), facts, decisions))
        head = advance(head, sealed[-1])
    return sealed


def chains(turns_max: int = 12) -> st.SearchStrategy[list[Sealed]]:
    """Any log of a few turns."""
    return st.lists(steps(), max_size=turns_max).map(chained)


def example(kind: type[Body], seed: int = 0) -> Any:
    """One fixed event of a kind, in which no two numbers are equal."""
    found = enumerate(fields(kind), seed)
    return kind(**{field.name: _sample(field, number) for number, field in found})


def _sample(field: inspect.Field, number: int) -> Any:
    match field.type:
        case inspect.EnumType(cls=cls):
            return list(cls)[number % len(cls)]
        case inspect.VarTupleType():
            return (70_000 + number, 3, 69_990 + number, 1 + number)
        case inspect.IntType():
            return 10**18 + number if field.name in _TIMES else 1_000 + number
        case inspect.BoolType():
            return number % 2 == 0
        case inspect.StrType():
            return f"{field.name} {number} ±"
        case inspect.DecimalType():
            return Decimal(f"-{number}.250")
    raise AssertionError(f"no example for {field.type}: add one")


_TIMES: Final = {"received", "venue_time", "wall_time", "opened", "due", "sent", "deadline"}
