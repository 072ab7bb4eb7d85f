"""The risk gate: each rule just inside and just outside, its limit and the value that broke it.

The market is 9,999 to 10,001 and one lot is worth ten of quote currency at 10,000 ticks.
"""

from decimal import ROUND_UP, Decimal, localcontext
from typing import Any, Final

import pytest
from hypothesis import given as sampled
from hypothesis import strategies as st

from mm.engine.limits import Limits
from mm.engine.risk import Refusal, Risk
from mm.events.instrument import ContractKind
from mm.events.orders import PlaceOrder, Resolution, Rule
from mm.events.session import TradingHalted, TradingRearmed
from mm.events.units import MICROS, SECONDS, InstrumentId, Lots, Nanos, OrderId, Side, Ticks
from mm.events.vocabulary import Event
from mm.projections.orders import Order
from mm.projections.state import State
from tests.build import (
    BUY,
    SELL,
    START,
    acked,
    amend,
    cancel,
    canceled,
    feed_down,
    filled,
    gapped,
    given,
    instrument,
    placed,
    quote,
    resolved,
    snapshot,
    uncertain,
)

TOUCH: Final = quote(9_999, 10_001)
LIMITS: Final = Limits(
    order_size_max=Lots(50),
    order_notional_max=Decimal(100_000),
    position_max=Lots(100),
    open_orders_max=3,
    price_collar_bps=100,
    messages_per_second_max=4,
)


def limits(**changes: Any) -> Risk:
    """A gate with these limits."""
    values = {name: getattr(LIMITS, name) for name in LIMITS.__struct_fields__}
    return Risk(Limits(**{**values, **changes}))


def wish(side: Side = BUY, price: int = 9_990, size: int = 10, **more: Any) -> PlaceOrder:
    """An order that somebody would like to place."""
    return placed("new", side, price, size, **more)


def refusal(
    intent: PlaceOrder, *events: Event, risk: Risk | None = None, at: Nanos = START
) -> Refusal | None:
    """What the gate says of it, after these events in a market that can be quoted."""
    return (risk or limits()).check(intent, given(instrument(), TOUCH, *events), at)


# -- each rule, on both sides of its limit ---------------------------------------------------------


def test_the_order_in_the_middle_passes() -> None:
    """Nothing speaks against an ordinary order."""
    assert refusal(wish()) is None
    assert refusal(wish(SELL, 10_010)) is None


def test_nothing_is_placed_while_halted() -> None:
    """Until a person re-arms; the refusal says why."""
    halt = TradingHalted(who="ann", reason="too much loss")
    assert refusal(wish(), halt) == Refusal(Rule.HALTED, "armed", "too much loss")
    assert refusal(wish(), halt, TradingRearmed(who="ann", reason="looked")) is None


@pytest.mark.parametrize(
    "events",
    [
        [gapped()],
        [feed_down()],
        [snapshot((9_999, 1), ())],
        [snapshot((), (10_001, 1))],
        [snapshot((10_001, 1), (10_001, 1))],
        [snapshot((10_002, 1), (10_001, 1))],
    ],
    ids=["gap", "down", "no asks", "no bids", "locked", "crossed"],
)
def test_no_book_no_order(events: list[Event]) -> None:
    """Without a book that can be quoted from there is no reference price."""
    found = refusal(wish(), *events)
    assert found is not None
    assert found.rule is Rule.BOOK_UNUSABLE


@pytest.mark.parametrize(
    ("filters", "inside", "outside", "limit"),
    [
        ({"price_min": Ticks(9_990)}, {"price": 9_990}, {"price": 9_989}, "9990..any ticks"),
        ({"price_max": Ticks(9_990)}, {"price": 9_990}, {"price": 9_991}, "1..9990 ticks"),
        ({"size_min": Lots(10)}, {"size": 10}, {"size": 9}, "10..any lots"),
        ({"size_max": Lots(10)}, {"size": 10}, {"size": 11}, "1..10 lots"),
        ({"size_step": Lots(5)}, {"size": 10}, {"size": 12}, "a multiple of 5 lots"),
        ({}, {"price": 9_950}, {"price": 0}, "1..any ticks"),
        ({}, {"size": 1}, {"size": 0}, "1..any lots"),
        ({}, {"size": 1}, {"size": -1}, "1..any lots"),
    ],
)
def test_the_venue_s_grid(
    filters: dict[str, Any], inside: dict[str, Any], outside: dict[str, Any], limit: str
) -> None:
    """What the venue would reject never leaves."""
    world = given(instrument(**filters), TOUCH)
    assert limits().check(wish(**inside), world, START) is None
    (value,) = outside.values()
    assert limits().check(wish(**outside), world, START) == Refusal(
        Rule.OFF_GRID, limit, str(value)
    )


def test_the_venue_s_least_notional() -> None:
    """In quote currency, to the last digit."""
    world = given(instrument(notional_min=Decimal("9.99")), TOUCH)
    assert limits().check(wish(price=9_990, size=10), world, START) is None
    found = limits().check(wish(price=9_990, size=9), world, START)
    assert found == Refusal(Rule.OFF_GRID, "notional 9.99", "8.991")


def test_the_size_of_an_order() -> None:
    """In lots."""
    assert refusal(wish(size=50)) is None
    assert refusal(wish(size=51)) == Refusal(Rule.ORDER_SIZE, "50", "51")


def test_the_notional_of_an_order() -> None:
    """In quote currency: price times size, exactly."""
    risk = limits(order_notional_max=Decimal("9.99"))
    assert refusal(wish(price=9_990, size=10), risk=risk) is None
    found = refusal(wish(price=9_991, size=10), risk=risk)
    assert found == Refusal(Rule.ORDER_NOTIONAL, "9.99", "9.991")


def test_the_notional_of_an_inverse_order_is_coin() -> None:
    """Contracts divided by the price, told to eight digits."""
    coin = instrument(kind=ContractKind.INVERSE, lot_size=Decimal(1), settle="BTC")
    risk = limits(order_notional_max=Decimal("0.0100"))
    world = given(coin, TOUCH)
    assert risk.check(wish(size=9), world, START) is None
    found = risk.check(wish(size=10), world, START)
    assert found == Refusal(Rule.ORDER_NOTIONAL, "0.0100", "0.01001001")


@pytest.mark.parametrize(
    ("side", "price", "far"),
    [
        (BUY, 9_900, None),
        (BUY, 9_899, "101.0 bps"),
        (SELL, 10_100, None),
        (SELL, 10_101, "101.0 bps"),
        (SELL, 9_899, "101.0 bps"),
        (BUY, 10_101, "101.0 bps"),
        (BUY, 99_900, "89900.0 bps"),
        (SELL, 999, "9001.0 bps"),
    ],
)
def test_the_price_collar(side: Side, price: int, far: str | None) -> None:
    """Distance from the mid, on either side of it, whatever the order's side."""
    expected = None if far is None else Refusal(Rule.PRICE_COLLAR, "100 bps", far)
    assert refusal(wish(side, price)) == expected


def test_the_number_of_open_orders() -> None:
    """Live ones of the instrument, whatever their state; closed ones and others do not count."""
    other = placed("x", BUY, 9_000, 1, instrument=InstrumentId(1))
    closed: list[Event] = [placed("y", BUY, 9_000, 1), canceled("y")]
    two: list[Event] = [placed("a", BUY, 9_980, 1), placed("b", BUY, 9_980, 1), cancel("b")]
    assert refusal(wish(), other, *closed, *two) is None
    third: list[Event] = [placed("c", SELL, 10_050, 1), uncertain("c")]
    assert refusal(wish(), *two, *third) == Refusal(Rule.OPEN_ORDERS, "3", "4")


def test_the_rate_of_messages() -> None:
    """As many as the limit within any second; cancels count and are never asked."""
    risk, at = limits(), START
    for _ in range(3):
        risk.sent(at)
    assert refusal(wish(), risk=risk, at=at) is None
    risk.sent(at)
    assert refusal(wish(), risk=risk, at=at) == Refusal(Rule.MESSAGE_RATE, "4", "5")
    later = Nanos(at + SECONDS - 1)
    assert refusal(wish(), risk=risk, at=later) == Refusal(Rule.MESSAGE_RATE, "4", "5")
    assert refusal(wish(), risk=risk, at=Nanos(at + SECONDS)) is None


def test_the_memory_of_messages_is_bounded() -> None:
    """Only the last second is kept, though nothing is ever asked for."""
    risk = limits()
    for number in range(10_000):
        risk.sent(Nanos(START + number * 1_000 * MICROS))
    assert len(risk.dump()) <= 1_000


@pytest.mark.parametrize(
    ("resting", "price", "refused"),
    [
        (placed("a", SELL, 10_000, 1), 9_999, None),
        (placed("a", SELL, 10_000, 1), 10_000, "SELL 10000"),
        (placed("a", SELL, 10_000, 1), 10_001, "SELL 10000"),
        (placed("a", BUY, 10_050, 1), 10_000, None),
    ],
)
def test_we_never_trade_with_ourselves(
    resting: PlaceOrder, price: int, refused: str | None
) -> None:
    """An order that would meet one of ours, any strategy's, does not leave."""
    expected = None if refused is None else Refusal(Rule.OWN_CROSS, refused, str(price))
    assert refusal(wish(price=price), resting) == expected
    doubtful: list[Event] = [resting, uncertain("a")]
    assert refusal(wish(price=price), *doubtful) == expected
    going: list[Event] = [resting, cancel("a")]
    assert refusal(wish(price=price, strategy="other"), *going) == expected
    assert refusal(wish(price=price), *going, canceled("a")) is None


def test_an_amend_under_way_may_be_at_either_price() -> None:
    """An ask that comes down is met at its new price already, and at its old one still."""
    asked: list[Event] = [placed("a", SELL, 10_050, 5), acked("a"), amend("a", 10_020, 5)]
    assert refusal(wish(price=10_019), *asked) is None
    found = refusal(wish(price=10_020), *asked)
    assert found == Refusal(Rule.OWN_CROSS, "SELL 10020", "10020")


# -- the worst case --------------------------------------------------------------------------------

HELD: Final[list[Event]] = [placed("h", BUY, 9_990, 60), filled("h", BUY, 9_990, 60)]


@pytest.mark.parametrize(
    ("events", "room"),
    [
        ([], 100),
        (HELD, 40),
        ([placed("a", BUY, 9_990, 30)], 70),
        ([placed("a", BUY, 9_990, 30), acked("a"), cancel("a")], 70),
        ([placed("a", BUY, 9_990, 30), uncertain("a")], 70),
        ([placed("a", BUY, 9_990, 30), filled("a", BUY, 9_990, 10)], 70),
        ([placed("a", BUY, 9_990, 30), acked("a"), amend("a", 9_990, 45)], 55),
        ([placed("a", BUY, 9_990, 45), acked("a"), amend("a", 9_990, 30)], 55),
        ([placed("a", BUY, 9_990, 30), canceled("a")], 100),
        ([placed("a", BUY, 9_990, 30), canceled("a", filled=20)], 80),
        ([placed("a", BUY, 9_990, 30), resolved("a", Resolution.FILLED)], 70),
        ([*HELD, placed("a", BUY, 9_990, 30)], 10),
        ([placed("a", BUY, 9_990, 30, strategy="other", wallet="w")], 70),
        ([placed("a", SELL, 10_050, 30)], 100),
        ([filled("z", SELL, 10_000, 30)], 130),
    ],
    ids=[
        *["nothing", "held", "in flight", "being canceled", "uncertain", "part filled"],
        *["amended up", "amended down", "canceled", "canceled, fills to come", "filled, to come"],
        *["held and open", "another strategy", "other side", "short"],
    ],
)
def test_the_position_at_its_worst(events: list[Event], room: int) -> None:
    """Held, open, in flight, in doubt and untold all count; the order that just fits passes."""
    risk = limits(order_size_max=Lots(500), open_orders_max=10)
    assert refusal(wish(size=room), *events, risk=risk) is None
    found = refusal(wish(size=room + 1), *events, risk=risk)
    assert found == Refusal(Rule.POSITION, "100", "101")


@pytest.mark.parametrize("net", [150, -150])
def test_reducing_is_always_allowed(net: int) -> None:
    """Far beyond the limit, what brings the position down passes; what adds does not."""
    held = filled("z", BUY if net > 0 else SELL, 10_000, abs(net))
    down, up = (SELL, BUY) if net > 0 else (BUY, SELL)
    prices = {BUY: 9_990, SELL: 10_010}
    assert refusal(wish(down, prices[down], 50), held) is None
    found = refusal(wish(up, prices[up], 1), held)
    assert found == Refusal(Rule.POSITION, "100", "151")


def test_an_amend_is_checked_as_what_it_would_become() -> None:
    """In place of the order that it replaces, not beside it."""
    world = given(instrument(), TOUCH, placed("a", BUY, 9_990, 40), acked("a"))
    order = world.orders.get(OrderId("a"))
    assert order is not None
    risk = limits(order_size_max=Lots(200), open_orders_max=1)
    assert risk.check(wish(size=100), world, START, order) is None
    found = risk.check(wish(size=101), world, START, order)
    assert found == Refusal(Rule.POSITION, "100", "101")


def test_the_first_rule_that_speaks_is_told() -> None:
    """One refusal for one order."""
    found = refusal(wish(size=5_000, price=1), TradingHalted(who="ann", reason="loss"))
    assert found is not None
    assert found.rule is Rule.HALTED


# -- what always holds -----------------------------------------------------------------------------

answers: Final = ["", "acked", "uncertain", "cancel", "canceled", "fill", "amend"]
orders = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 60), st.sampled_from(answers)), max_size=8
)


def lived(world: State, risk: Risk, drawn: list[tuple[Side, int, str]]) -> list[Order]:
    """Orders as far as the gate lets them pass, each with a little life after it."""
    for number, (side, size, answer) in enumerate(drawn):
        name, price = f"o{number}", 9_990 if side is BUY else 10_010
        intent = placed(name, side, price, size)
        if risk.check(intent, world, START) is not None:
            continue
        events: dict[str, list[Event]] = {
            "": [],
            "acked": [acked(name)],
            "uncertain": [uncertain(name)],
            "cancel": [cancel(name)],
            "canceled": [canceled(name, filled=size // 2)],
            "fill": [filled(name, side, price, max(1, size // 2), name)],
            "amend": [acked(name)],
        }
        given(intent, *events[answer], state=world)
        order = world.orders.get(OrderId(name))
        changed = placed(name, side, price, size + 20)
        if answer == "amend" and risk.check(changed, world, START, order) is None:
            given(amend(name, price, size + 20), state=world)
    return world.orders.live


@sampled(orders)
def test_no_sequence_of_approved_orders_can_pass_the_limit(
    drawn: list[tuple[Side, int, str]],
) -> None:
    """Were everything filled that may be, on one side, the position would be within its limit."""
    risk = limits(order_size_max=Lots(500), open_orders_max=100)
    world = given(instrument(), TOUCH)
    lived(world, risk, drawn)
    net = world.ledger.net(instrument().instrument)
    for side in Side:
        worst = side * net + world.orders.leaves(instrument().instrument, side)
        assert worst <= LIMITS.position_max


def test_a_library_that_changes_the_decimal_context_changes_no_refusal() -> None:
    """Refusals stand on the log: live and replayed they are the same text."""
    with localcontext(prec=3, rounding=ROUND_UP):
        risk = limits(order_notional_max=Decimal("9.99"))
        found = refusal(wish(price=9_991, size=12), risk=risk)
        assert found == Refusal(Rule.ORDER_NOTIONAL, "9.99", "11.9892")
        assert refusal(wish(price=1)) == Refusal(Rule.PRICE_COLLAR, "100 bps", "9999.0 bps")
