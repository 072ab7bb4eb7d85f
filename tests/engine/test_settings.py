"""Settings as a person writes them: exact in the instrument's units, or refused by name."""

from decimal import ROUND_UP, Decimal, localcontext
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.engine.limits import Limits
from mm.engine.parameters import changed, convert, settings_in
from mm.engine.settings import (
    INSTRUMENTS_MAX,
    STRATEGIES_MAX,
    Duration,
    EngineSettings,
    decode_hook,
    encode_hook,
    limits_of,
    strategy_of,
    validate,
)
from mm.errors import ConfigError
from mm.events.units import SECONDS, Nanos
from mm.strategy.base import Wakes
from mm.strategy.fair_value import FairValue
from mm.strategy.pegged import Pegged
from mm.strategy.symmetric import Symmetric
from tests.build import instrument, settings, started

NAME: Final = "paper:BTCUSDT"
HUGE: Final = ["1e16", "1e400"]


def limit(**changes: Any) -> dict[str, Any]:
    """Settings with other limits; a value of None leaves one out."""
    plain = settings()
    merged = {**plain["limits"][NAME], **changes}
    plain["limits"][NAME] = {name: each for name, each in merged.items() if each is not None}
    return plain


def typed(plain: dict[str, Any]) -> EngineSettings:
    """Plain values, converted and checked."""
    made = convert(plain)
    validate(made)
    return made


# -- conversion ------------------------------------------------------------------------------------


def test_a_strategy_in_the_instrument_s_units() -> None:
    """Decimals become lots, durations nanoseconds, names rules."""
    made = typed(settings(fair="microprice", levels="2", age_max="1.5m", hedge_above="0.05"))
    strategy = strategy_of("maker", made.strategies["maker"], instrument())
    assert isinstance(strategy, Symmetric)
    assert (strategy.order_size, strategy.position_max, strategy.hedge_above) == (10, 100, 50)
    assert (strategy.levels, strategy.fair) == (2, FairValue.MICROPRICE)
    assert (strategy.age_max, strategy.refresh) == (90 * SECONDS, SECONDS)


def pegged(**changes: Any) -> dict[str, Any]:
    """Settings of one pegged maker."""
    plain = settings()
    maker = {"order_size": "0.01", "position_max": "0.1", "half_spread_ticks": 2.5, **changes}
    plain["strategies"]["maker"] = {"kind": "pegged", "instrument": NAME, **maker}
    return plain


def test_a_pegged_maker_in_the_instrument_s_units() -> None:
    """And what wakes it: the timer, and where asked for the market near its quotes."""
    made = typed(pegged(refresh="2s", own_near_ticks="3"))
    strategy = strategy_of("maker", made.strategies["maker"], instrument())
    assert isinstance(strategy, Pegged)
    assert (strategy.order_size, strategy.position_max) == (10, 100)
    timer = Wakes(timer=Nanos(2 * SECONDS), own_orders=False, when_changed=True)
    assert strategy.wakes == replace(timer, own_near_ticks=3)
    unasked = typed(pegged(refresh="2s")).strategies["maker"]
    assert strategy_of("maker", unasked, instrument()).wakes == timer


@pytest.mark.parametrize("ticks", [-1, 1_000_000_001])
def test_a_distance_from_quotes_that_nobody_can_mean_is_refused(ticks: int) -> None:
    """None at all and the farthest are allowed."""
    for good in (None, 0, 1_000_000_000):
        typed(pegged(own_near_ticks=good))
    with pytest.raises(ConfigError, match=rf"maker\.own_near_ticks = {ticks} must be at least 0"):
        typed(pegged(own_near_ticks=ticks))


def test_limits_in_the_instrument_s_units() -> None:
    """Sizes become lots; notional stays money."""
    made = limits_of(typed(settings()).limits[NAME], instrument())
    assert made == Limits(
        order_size_max=made.order_size_max,
        order_notional_max=Decimal(1_000_000),
        position_max=made.position_max,
        open_orders_max=20,
        price_collar_bps=500,
        messages_per_second_max=100,
    )
    assert (made.order_size_max, made.position_max) == (1_000, 200)


@pytest.mark.parametrize("field", ["order_size", "position_max", "hedge_above"])
def test_a_size_between_two_lots_is_refused(field: str) -> None:
    """Naming the field, the instrument and the lot."""
    made = typed(settings(**{field: "0.0105"}))
    with pytest.raises(
        ConfigError, match=rf"strategies\.maker\.{field} = 0\.0105 .* 0\.001"
    ) as told:
        strategy_of("maker", made.strategies["maker"], instrument())
    assert told.value.where == NAME


@pytest.mark.parametrize("field", ["order_size_max", "position_max"])
def test_a_limit_between_two_lots_is_refused(field: str) -> None:
    """A limit is not rounded either."""
    made = typed(limit(**{field: "0.0105"}))
    with pytest.raises(ConfigError, match=rf"limits\.{NAME}\.{field} = 0\.0105"):
        limits_of(made.limits[NAME], instrument())


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1ns", 1),
        ("2us", 2_000),
        ("250ms", 250_000_000),
        ("1.5s", 1_500_000_000),
        (" 2 m ", 120 * SECONDS),
        ("0.000000001s", 1),
        ("1h", 3_600 * SECONDS),
        ("0s", 0),
    ],
)
def test_durations_carry_their_unit(text: str, nanos: int) -> None:
    """A number and a unit, exactly, whatever the decimal context; written as they were read."""
    with localcontext(prec=2, rounding=ROUND_UP):
        duration = decode_hook(Duration, text)
        assert duration.nanos == nanos
    assert encode_hook(duration) == text


@pytest.mark.parametrize(
    "text", ["30", "30 seconds", "s", "", "-1s", "1e3s", "nan s", "1.5ns", "1_0s", "٣s", 30, None]
)
def test_what_is_no_duration_is_refused(text: Any) -> None:
    """No unit, an unknown one, a sign, or a part of a nanosecond."""
    with pytest.raises(ValueError, match="is no duration: write a number and a unit"):
        decode_hook(Duration, text)


def test_other_types_are_our_bug() -> None:
    """The hooks know durations only."""
    with pytest.raises(TypeError, match="no field may be"):
        decode_hook(set, "1s")
    with pytest.raises(AssertionError, match="no field may be"):
        encode_hook({1})


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        (settings(ordr_size="1"), "unknown field `ordr_size`"),
        (settings(kind="symetric"), "Invalid value 'symetric'"),
        (settings(fair="median"), "Invalid enum value 'median'"),
        (settings(refresh="250"), "no duration"),
        (settings(refresh=250), "no duration"),
        (settings(levels="two"), "Expected `int`"),
        (settings(levels=1.5), "Expected `int`"),
        (settings(order_size="ten"), "decimal"),
        (settings(amend="maybe"), "Expected `bool`"),
        (limit(order_size_mx="1"), "unknown field `order_size_mx`"),
        *[
            (limit(**{field: None}), f"missing required field `{field}`")
            for field in Limits.__struct_fields__
        ],
        ({"strategies": {}}, "missing required field `limits`"),
        ({**settings(), "limit": {}}, "unknown field `limit`"),
        ({"strategies": [], "limits": {}}, "Expected `object`"),
    ],
)
def test_typos_and_gaps_are_named(plain: dict[str, Any], told: str) -> None:
    """An unknown key, a missing limit, a wrong type or unit: what and where."""
    with pytest.raises(ConfigError, match=told):
        typed(plain)


NOT_POSITIVE: Final = ["0", "-1", "NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize("value", [*NOT_POSITIVE, *HUGE])
@pytest.mark.parametrize(
    "field",
    ["order_size", "position_max", "half_spread_bps", "levels", *Limits.__struct_fields__],
)
def test_numbers_nobody_can_mean_are_refused(field: str, value: str) -> None:
    """Zero, negative, not a number, infinite, huge: named, whichever limit or parameter it is."""
    of_limits = field in Limits.__struct_fields__ and field != "position_max"
    plain = limit(**{field: value}) if of_limits else settings(**{field: value})
    with pytest.raises(ConfigError, match=rf"{field}|Expected"):
        typed(plain)
    if field == "position_max":
        with pytest.raises(ConfigError, match=rf"limits\.{NAME}\.{field}"):
            typed(limit(**{field: value}))


@pytest.mark.parametrize("value", ["-1", "-0.001", "NaN", *HUGE])
@pytest.mark.parametrize(
    "field", ["level_spacing_bps", "skew_bps", "drift_bps", "hedge_above", "hedge_slippage_bps"]
)
def test_zero_is_allowed_where_it_means_none(field: str, value: str) -> None:
    """No skew, no hedge, no slippage; but nothing negative and nothing endless."""
    typed(settings(**{field: "0"}))
    with pytest.raises(ConfigError, match=rf"maker\.{field} = .* at least 0|out of range.*{field}"):
        typed(settings(**{field: value}))


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("levels", 20, 21),
        ("half_spread_bps", 5_000, 5_000.1),
        ("refresh", "0s", "0.5ms"),
        ("refresh", "1ms", "1us"),
        ("refresh", "24h", "24.1h"),
        ("age_max", "1ns", "0s"),
        ("book_age_max", "24h", "25h"),
    ],
)
def test_bounds_of_a_strategy(field: str, good: Any, bad: Any) -> None:
    """Just inside passes, just outside is named with its bound."""
    typed(settings(**{field: good}))
    with pytest.raises(ConfigError, match=rf"strategies\.maker\.{field} = {bad} must be"):
        typed(settings(**{field: bad}))


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("open_orders_max", 1_000, 1_001),
        ("price_collar_bps", 5_000, 5_001),
        ("messages_per_second_max", 10_000, 10_001),
        ("order_notional_max", "1000000000000000", "1000000000000000.1"),
    ],
)
def test_a_limit_that_limits_nothing_is_refused(field: str, good: Any, bad: Any) -> None:
    """A huge limit is a missing one."""
    typed(limit(**{field: good}))
    with pytest.raises(ConfigError, match=rf"{field} = {bad} must be above 0 and at most"):
        typed(limit(**{field: bad}))


@pytest.mark.parametrize("name", ["", "a_b", "x" * 17, "a b", "ä", "a.b"])
def test_names_have_to_fit_an_order_id(name: str) -> None:
    """Strategies and wallets: letters, digits, '-', at most 16."""
    plain = settings()
    plain["strategies"] = {name: plain["strategies"]["maker"]}
    with pytest.raises(ConfigError, match="cannot stand in an order id"):
        typed(plain)
    with pytest.raises(ConfigError, match="cannot stand in an order id"):
        typed(settings(wallet=name))


def test_every_instrument_that_is_quoted_has_limits() -> None:
    """Without them nothing starts."""
    with pytest.raises(ConfigError, match="no limits for paper:ETHUSDT") as told:
        typed(settings(instrument="paper:ETHUSDT"))
    assert told.value.where == 'limits."paper:ETHUSDT"'


def test_a_desk_has_room_for_so_many() -> None:
    """What a fault has to cancel must fit one turn."""
    plain = settings()
    of_one, of_maker = plain["limits"][NAME], plain["strategies"]["maker"]
    many = {**plain["limits"], **{f"v:{n}": of_one for n in range(INSTRUMENTS_MAX)}}
    with pytest.raises(ConfigError, match=f"{INSTRUMENTS_MAX + 1} limits"):
        typed({**plain, "limits": many})
    makers = {f"maker{n}": of_maker for n in range(STRATEGIES_MAX + 1)}
    with pytest.raises(ConfigError, match=f"{STRATEGIES_MAX + 1} strategies"):
        typed({**plain, "strategies": makers})


# -- what the log says -----------------------------------------------------------------------------


def test_the_log_s_settings_are_the_ones_that_were_written() -> None:
    """Other parts of the configuration are left alone."""
    config = msgspec.json.encode({**settings(), "feed": {"kind": "x"}}).decode()
    assert settings_in(config) == typed(settings())
    assert settings_in(started(**settings()).config) == typed(settings())
    assert settings_in("{}") == EngineSettings(strategies={}, limits={})


@pytest.mark.parametrize("config", ["", "[]", "{", "null", '{"strategies": 1}', '{"limits": null}'])
def test_a_config_that_is_none_is_refused(config: str) -> None:
    """With our own error, whatever the bytes are."""
    with pytest.raises(ConfigError):
        settings_in(config)


def test_settings_on_the_log_are_checked_as_on_the_way_in() -> None:
    """A limit that was removed from the log does not go unnoticed."""
    with pytest.raises(ConfigError, match="levels = 0"):
        settings_in(started(**settings(levels=0)).config)


# -- a person's change -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "new", "value"),
    [
        ("strategies.maker.half_spread_bps", "12.5", 12.5),
        ("strategies.maker.order_size", "0.02", Decimal("0.02")),
        ("strategies.maker.levels", "3", 3),
        ("strategies.maker.refresh", "500ms", Duration("500ms")),
        ("strategies.maker.amend", "true", True),
        ("strategies.maker.fair", "microprice", FairValue.MICROPRICE),
        (f"limits.{NAME}.open_orders_max", "7", 7),
    ],
)
def test_one_field_changes(name: str, new: str, value: Any) -> None:
    """From text, and nothing else changes."""
    before = typed(settings())
    after = changed(before, name, new)
    section, _, rest = name.partition(".")
    key, _, field = rest.rpartition(".")
    assert getattr(getattr(after, section)[key], field) == value
    old = getattr(getattr(before, section)[key], field)
    back = str(old).lower() if isinstance(old, bool) else str(old)
    assert changed(after, name, back) == before


@pytest.mark.parametrize(
    "name",
    [
        "",
        "strategies",
        "strategies.maker",
        "strategies.maker.half_spread",
        "strategies.taker.half_spread_bps",
        "limits.paper:ETHUSDT.position_max",
        "feed.speed",
        "strategies.maker.kind",
        "strategies.maker.instrument",
        "strategies.maker.wallet",
    ],
)
def test_no_such_parameter(name: str) -> None:
    """A typo, or what cannot change while it is at work."""
    with pytest.raises(ConfigError, match="there is no parameter") as told:
        changed(typed(settings()), name, "1")
    assert told.value.where == name


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("strategies.maker.half_spread_bps", "-1"),
        ("strategies.maker.half_spread_bps", "nan"),
        ("strategies.maker.half_spread_bps", "wide"),
        ("strategies.maker.refresh", "5"),
        (f"limits.{NAME}.position_max", "0"),
    ],
)
def test_a_change_is_checked_like_the_settings(name: str, new: str) -> None:
    """What could not be started with cannot be changed to."""
    before = typed(settings())
    with pytest.raises(ConfigError):
        changed(before, name, new)
    assert before == typed(settings())


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_a_change_or_a_config_error(name: str, new: str) -> None:
    """A person may type anything."""
    before = typed(settings())
    for each in (name, f"strategies.maker.{name}", "strategies.maker.half_spread_bps"):
        try:
            after = changed(before, each, new)
        except ConfigError:
            continue
        validate(after)
