"""What a config means: keys that belong together, units, and what the environment overrides."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from mm.apps.config import SyntheticFeedConfig, build
from mm.errors import ConfigError
from mm.events.units import SECONDS
from mm.sim.synthetic import SyntheticSettings
from tests.apps.stage import BTC, LIMITS, MAKER, plain

if TYPE_CHECKING:
    from mm.apps.config import Config

BINANCE: Final = "binance_usdm:BTCUSDT"


def built(environment: dict[str, str] | None = None, **changes: Any) -> Config:
    """The stage's config, with top-level keys changed, then overridden."""
    return build({**plain(), **changes}, environment or {}, {}, where="test")


def refused(environment: dict[str, str], **changes: Any) -> str:
    """What is said of variables that cannot be: all three parts."""
    with pytest.raises(ConfigError) as caught:
        built(environment, **changes)
    assert caught.value.where
    assert caught.value.remedy
    return str(caught.value)


def maker(config: Config, name: str = "maker") -> Any:
    """A strategy's settings."""
    return config.strategies[name]


# -- keys that belong together -----------------------------------------------------------------


def test_orders_that_no_limit_lets_pass_are_refused() -> None:
    """A maker whose every order would be refused never gets as far as a session."""
    said = refused({}, strategies={"maker": {**MAKER, "order_size": "999"}})
    assert "strategies.maker.order_size = 999, and no order may be larger than" in said


def test_a_wallet_that_the_venue_lacks_is_refused() -> None:
    """Every order of that strategy would be rejected: both keys are named."""
    said = refused({}, strategies={"maker": {**MAKER, "wallet": "other"}})
    assert "strategies.maker.wallet = 'other'" in said
    assert "paper.wallet = 'main'" in said
    other = {"maker": {**MAKER, "wallet": "w2"}}
    assert built(strategies=other, paper={"wallet": "w2"}).paper.wallet == "w2"


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "speed"), [(10, 10.0), (0.5, 0.5), ("10", 10.0), ("max", None), (1_000_000, 1e6)]
)
def test_a_speed_is_a_number_or_text(given: Any, speed: float | None) -> None:
    """Both notations are one config, down to its fingerprint."""
    config = built(feed={"kind": "synthetic", "speed": given})
    assert config.speed == speed
    text = built(feed={"kind": "synthetic", "speed": f"{given}"})
    assert config.fingerprint() == text.fingerprint()


def test_the_funding_interval_has_a_unit() -> None:
    """Like every other duration; what the market gets is nanoseconds."""

    def interval(**market: Any) -> int:
        feed = built(feed={"kind": "synthetic", "market": market}).feed
        assert isinstance(feed, SyntheticFeedConfig)
        return feed.market.settings.funding_interval

    assert interval(funding_interval="1h") == 3600 * SECONDS
    assert interval(funding_interval="0s") == 0
    assert interval() == SyntheticSettings().funding_interval
    for wrong in (28_800_000_000_000, "9999999h", "-1h"):
        with pytest.raises(ConfigError, match=r"duration|funding_interval"):
            interval(funding_interval=wrong)


def test_a_market_of_the_config_is_the_market_itself() -> None:
    """Nothing is lost or renamed between the config and the market's own settings."""
    feed = built(feed={"kind": "synthetic", "market": {"levels": 7, "price": "123"}}).feed
    assert isinstance(feed, SyntheticFeedConfig)
    assert feed.market.settings == SyntheticSettings(levels=7, price=Decimal(123))


# -- overrides ---------------------------------------------------------------------------------

TWO: Final[dict[str, Any]] = {
    "strategies": {"Maker-2": MAKER, "other": {**MAKER, "instrument": BINANCE}},
    "limits": {BTC: LIMITS, BINANCE: LIMITS},  # One object, as a YAML alias would be.
}


@pytest.mark.parametrize("word", ["SYNTHETIC_BTC_USDT", "synthetic_btc_usdt", BTC])
def test_limits_are_reached_by_their_instrument(word: str) -> None:
    """Without case, with `_` for what a variable's name cannot hold, or as they are written."""
    config = built({f"MM_LIMITS__{word}__POSITION_MAX": "2"}, **TWO)
    assert config.limits[BTC].position_max == 2
    assert config.limits[BINANCE].position_max == 1
    assert len(config.limits) == 2


def test_strategies_are_reached_by_their_name() -> None:
    """One with capitals or `-` too."""
    config = built({"MM_STRATEGIES__MAKER_2__LEVELS": "5"}, **TWO)
    assert (maker(config, "Maker-2").levels, maker(config, "other").levels) == (5, 2)


def test_a_new_asset_keeps_its_case() -> None:
    """A balance that the file lacks is added as it is written; one that it has is replaced."""
    config = built({"MM_PAPER__BALANCES__USDT": "10", "MM_PAPER__BALANCES__wBTC": "1"})
    assert config.paper.balances == {"USDT": Decimal(10), "wBTC": Decimal(1)}
    config = built({"MM_PAPER__BALANCES__USDT": "10"}, paper={"balances": {"usdt": 1, "X": 2}})
    assert config.paper.balances == {"usdt": Decimal(10), "X": Decimal(2)}


def test_plain_keys_are_reached() -> None:
    """Keys that the file lacks, of the session, of a table, of a table in a table."""
    given = {"MM_SEED": "3", "MM_LOG__SYNC": "2m", "MM_FEED__MARKET__TICK_SIZE": "0.5"}
    config = built(given | {"MM_RECORDINGS": "/x", "HOME": "/y"})
    assert isinstance(config.feed, SyntheticFeedConfig)
    assert (config.seed, config.log.sync, config.feed.market.tick_size) == (3, "2m", Decimal("0.5"))


UNKNOWN: Final = {
    "MM_FEEED__SPEED": "MM_FEED__SPEED (feed.speed)",
    "MM_FEED__SPED": "MM_FEED__SPEED (feed.speed)",
    "MM_SEEED": "MM_SEED (seed)",
    "MM_FEED__MARKET__TICKSIZE": "MM_FEED__MARKET__TICK_SIZE",
    "MM_LIMITS__BTCUSDT__POSITION_MAX": "MM_LIMITS__SYNTHETIC_BTC_USDT__POSITION_MAX",
    "MM_STRATEGIES__MAKR__LEVELS": "MM_STRATEGIES__MAKER__LEVELS (strategies.maker.levels)",
    "MM_": "MM_",
    "MM_FEED__PATH": "MM_FEED__",
}


@pytest.mark.parametrize("variable", UNKNOWN)
def test_an_unknown_variable_is_named(variable: str) -> None:
    """With the nearest key there is, and what to do: it may well be somebody else's."""
    said = refused({variable: "x"})
    assert f"{variable} sets no key" in said
    assert UNKNOWN[variable] in said
    assert "unset" in said


def test_a_variable_for_a_table_is_refused() -> None:
    """It takes a value for each key in it; the reverse is refused too."""
    assert "MM_FEED sets a table" in refused({"MM_FEED": "x"})
    assert "MM_PAPER__BALANCES sets a table" in refused({"MM_PAPER__BALANCES": "x"})
    assert "MM_DESK__NAME: desk holds a value, not a table" in refused({"MM_DESK__NAME": "x"})
    assert "MM_LOG__SYNC: log holds a value" in refused({"MM_LOG__SYNC": "2m"}, log=3)


def test_a_variable_with_two_meanings_is_refused() -> None:
    """It names both; the key's own spelling still reaches one."""
    twins = {"strategies": {"A-b": MAKER, "a-B": MAKER}}
    said = refused({"MM_STRATEGIES__A_B__LEVELS": "1"}, **twins)
    assert "strategies.A-b or strategies.a-B" in said
    config = built({"MM_STRATEGIES__a-B__LEVELS": "1"}, **twins)
    assert (maker(config, "A-b").levels, maker(config, "a-B").levels) == (2, 1)


def test_a_wrong_value_names_its_variable() -> None:
    """The file is not to blame for it."""
    assert "overridden by MM_SEED" in refused({"MM_SEED": "many"})
    assert "test, seed, overridden by MM_SEED" in refused({"MM_SEED": "-1"})


def test_only_the_variable_that_set_the_key_is_named() -> None:
    """Not every variable that is set: they would be suspected in vain."""
    given = {"MM_DESK": "other", "MM_STRATEGIES__MAKER__LEVELS": "0"}
    said = refused(given)
    assert "test, strategies.maker.levels, overridden by MM_STRATEGIES__MAKER__LEVELS" in said
    assert "MM_DESK" not in said
    said = refused({"MM_DESK": "other", "MM_STRATEGIES__MAKER__LEVELS": "x"})
    assert "at `$.strategies.maker.levels`" in said
    assert "overridden by MM_STRATEGIES__MAKER__LEVELS" in said
    limit = {"MM_LIMITS__SYNTHETIC_BTC_USDT__ORDER_SIZE_MAX": "0.00001"}
    assert f"overridden by {next(iter(limit))}" in refused(limit)
    assert "overridden" not in refused({"MM_DESK": "other"}, seed="many")


def test_a_missing_limit_names_its_instrument() -> None:
    """The one that lacks it, not the one beside it that is whole."""
    some = {key: value for key, value in LIMITS.items() if key != "position_max"}
    said = refused({}, limits={BTC: LIMITS, BINANCE: some})
    assert f'missing required field `position_max` - at `$.limits."{BINANCE}"`' in said
    assert f'test, limits."{BINANCE}"' in said


@pytest.mark.parametrize(
    ("wrong", "near"), [("BTCUSDT", BINANCE), ("binance_usdm:BTCUSD", BINANCE), ("ETHUSDT", "")]
)
def test_an_instrument_without_its_venue_is_guessed(wrong: str, near: str) -> None:
    """The limits have the full name; one that is nothing like it is not suggested."""
    limits = {BINANCE: LIMITS}
    said = refused({}, strategies={"maker": {**MAKER, "instrument": wrong}}, limits=limits)
    assert (f"did you mean {near}?" in said) == bool(near)
    assert f"no limits for {wrong}" in said
