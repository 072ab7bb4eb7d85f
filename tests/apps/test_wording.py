"""Events in human units: exact, by the instrument as it was defined at that point of the log."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.apps.cli.log_lines import line
from mm.apps.selection import selection
from mm.apps.wording import Instruments, described, duration, human, iso, price, size, span, utc
from mm.events.orders import IntentRefused, Rule
from mm.events.turn import Record
from mm.events.units import INT64_MAX, InstrumentId, Lots, Nanos, Seq, Side, Ticks, TurnNumber
from mm.events.vocabulary import KINDS
from tests.build import (
    BTC,
    BUY,
    START,
    canceled,
    delta,
    filled,
    instrument,
    placed,
    quote,
    snapshot,
)
from tests.strategies import events, example

if TYPE_CHECKING:
    from mm.events.vocabulary import Event


def record(event: Event, number: int = 7) -> Record:
    """An event as the seventh of a log."""
    return Record(Seq(number), TurnNumber(3), 1, Nanos(START + 5_000), event)


def known(**changes: Any) -> Instruments:
    """The test instrument, defined as the first event."""
    instruments = Instruments()
    instruments.define(Seq(1), instrument(**changes))
    return instruments


def words(event: Event) -> str:
    """The line of an event after its kind."""
    text = "".join(piece for piece, _ in line(record(event), known()))
    return " ".join(text.split()[5:])


def test_prices_and_sizes_are_exact() -> None:
    """Ticks and lots become decimals, without an exponent and without a float."""
    tiny = instrument(tick_size=Decimal("0.00000001"), lot_size=Decimal(1))
    assert (price(12_345, tiny), size(3, tiny)) == ("0.00012345", "3")
    huge = instrument(tick_size=Decimal("1E+3"))
    assert price(5, huge) == "5000"
    assert (price(5, None), size(5, None)) == ("5 ticks", "5 lots")


@given(ticks=st.integers(-INT64_MAX, INT64_MAX))
def test_no_digit_is_lost(ticks: int) -> None:
    """A price in words is the very price, however large."""
    assert Decimal(price(ticks, instrument())) == Decimal(ticks).scaleb(-1)


def test_times_are_utc() -> None:
    """Microseconds in words, ISO for programs; a time outside the calendar stays a number."""
    assert utc(START + 1_999) == "2023-11-14 22:13:20.000001"
    assert iso(START) == "2023-11-14T22:13:20.000000Z"
    assert utc(2**70) == f"{2**70} ns"


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(0, "0ns"), (999, "999ns"), (1_500, "1.5µs"), (-2_000_000, "-2ms"), (28_800 * 10**9, "8h")],
)
def test_durations_have_the_largest_unit(nanos: int, text: str) -> None:
    """A span of time is told in the unit that fits it."""
    assert duration(nanos) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (3.14159, "3.14 s"), (59.4, "59 s"), (59.6, "1 min"), (86, "1 min 26 s")),
        *((3_600, "1 h"), (3_725, "1 h 2 min"), (200_000, "2 d 7 h")),
    ],
)
def test_a_span_is_told_as_it_is_spoken(seconds: float, text: str) -> None:
    """At most two units, and no decimals of a minute."""
    assert span(seconds) == text


def test_an_instrument_is_as_it_was_defined_then() -> None:
    """A new revision changes what ticks mean from there on, and not before."""
    instruments = known()
    instruments.define(Seq(10), instrument(tick_size=Decimal("0.5"), revision=2))
    before, after = (described(record(quote(100, 101), at), instruments) for at in (9, 11))
    assert (before.human["bid"], after.human["bid"]) == ("10.0", "50.0")
    assert before.raw["bid"] == after.raw["bid"] == 100


def test_a_definition_explains_itself() -> None:
    """A definition's own limits are told in its own steps."""
    found = described(record(instrument(price_min=Ticks(5), size_min=Lots(2))), Instruments())
    assert (found.human["price_min"], found.human["size_min"]) == ("0.5", "0.002")


@pytest.mark.parametrize(
    ("rule", "limit", "value", "told"),
    [
        (Rule.POSITION, "200", "210", ("0.200", "0.210")),
        (Rule.ORDER_SIZE, "1000", "-5", ("1.000", "-0.005")),
        (Rule.OWN_CROSS, "SELL 1001", "1002", ("SELL 100.1", "100.2")),
        (Rule.OPEN_ORDERS, "20", "21", ("20", "21")),
        (Rule.PRICE_COLLAR, "50 bps", "51.2 bps", ("50 bps", "51.2 bps")),
    ],
)
def test_what_a_rule_compared_is_told_in_its_unit(
    rule: Rule, limit: str, value: str, told: tuple[str, str]
) -> None:
    """Risk counts in lots and ticks; people read sizes and prices."""
    refused = IntentRefused(
        instrument=BTC,
        side=Side.BUY,
        price=Ticks(1002),
        size=Lots(10),
        strategy="maker",
        rule=rule,
        limit=limit,
        value=value,
        cause=Seq(3),
    )
    found = human(refused, instrument())
    assert (found["limit"], found["value"]) == told
    assert human(refused, None)["limit"] == limit


def test_a_line_tells_the_most_important_first() -> None:
    """Side, size and price, the order, what is not a default, the cause last."""
    order = placed("maker-1", BUY, price=270_001, size=10)
    assert words(order) == (
        "paper:BTCUSDT BUY 0.010 @ 27000.1 maker-1 strategy=maker wallet=main reason=quote "
        "post_only because of #1"
    )
    assert words(quote(100, 101)) == (
        "paper:BTCUSDT bid 0.010 @ 10.0 ask 0.010 @ 10.1 sequence=0 received -5µs"
    )
    assert words(delta((100, 5), ())).startswith(
        "paper:BTCUSDT first=2 last=2 previous=1 bids[0.005 @ 10.0] asks[]"
    )
    many = snapshot((5, 1, 4, 1, 3, 1, 2, 1), ())
    assert "bids[0.001 @ 0.5, 0.001 @ 0.4, 2 more]" in words(many)
    assert "SELL 0.003 @ 10.0 a" in words(filled("a", Side.SELL, price=100, size=3))


def test_what_the_venue_did_not_say_is_not_told() -> None:
    """Unsaid sizes and times are no numbers; a distant time is told whole."""
    assert "filled" not in words(canceled("a"))
    assert "filled=0.003" in words(canceled("a", filled=3))
    assert described(record(canceled("a")), known()).human["filled"] is None
    late = quote(1, 2).__class__(**{**described(record(quote(1, 2)), known()).raw,
                                    "venue_time": Nanos(START - 10**15)})  # fmt: skip
    assert "venue 2023-11-03 08:26:40" in words(late)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_line(kind: str) -> None:
    """No kind of event needs anything of its own to be shown."""
    event: Any = example(KINDS[kind])
    pieces = line(record(event), known())
    assert pieces[1][0].strip() == kind
    assert set(described(record(event), known()).human) == set(event.__struct_fields__)


@given(event=events())
def test_any_event_can_be_shown(event: Any) -> None:
    """Whatever stands on a log can be told, with and without its instrument."""
    assert line(record(event), known())
    assert line(record(event), Instruments())


def test_a_selection_knows_where_to_look() -> None:
    """What can only stand in turns that touch orders is looked for there."""
    assert selection(["order.*"]).orders_only
    assert selection(order="a").orders_only
    assert not selection(["order.*,trade"]).orders_only
    assert not selection(symbol="BTCUSDT").orders_only
    assert selection().everything
    unknown = selection(symbol="BTCUSDT")
    assert not unknown.takes(record(quote(1, 2)), Instruments())
    assert InstrumentId(0) == BTC
