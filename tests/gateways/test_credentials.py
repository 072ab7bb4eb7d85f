"""Keys to venues: where they come from, and that they go nowhere."""

from __future__ import annotations

import pickle
import traceback

import pytest

from mm.errors import ConfigError, VenueRefused
from mm.gateways.credentials import Credentials, credentials_for, refuse_dangerous

KEY, SECRET = "a-key-of-ours", "a-canary-of-ours"
GIVEN = {"MM_BINANCE_KEY": KEY, "MM_BINANCE_SECRET": SECRET}


def test_a_key_comes_from_the_environment() -> None:
    """By the venue's name; USD-M takes spot's where it has none of its own."""
    for venue in ("binance", "binance_usdm"):
        found = credentials_for(venue, GIVEN)
        assert (found.key, found.secret) == (KEY, SECRET)
    own = {**GIVEN, "MM_BINANCE_USDM_KEY": "other", "MM_BINANCE_USDM_SECRET": "own"}
    assert credentials_for("binance_usdm", own).key == "other"


@pytest.mark.parametrize("missing", sorted(GIVEN))
def test_half_a_key_is_refused(missing: str) -> None:
    """Naming the variable that is not set."""
    with pytest.raises(ConfigError, match="half of a key") as refused:
        credentials_for("binance", {name: text for name, text in GIVEN.items() if name != missing})
    assert refused.value.where == missing


def test_without_a_key_the_variables_are_named() -> None:
    """And nothing else is tried."""
    with pytest.raises(ConfigError, match="no key for kraken") as refused:
        credentials_for("kraken", GIVEN)
    assert "MM_KRAKEN_KEY" in refused.value.where


def breaks(found: Credentials) -> None:
    """Raise with a key at hand."""
    raise ValueError(f"broken with {found}")


def test_a_secret_is_shown_nowhere() -> None:
    """Not in a representation, a traceback with locals, or a pickle."""
    found = Credentials(KEY, SECRET)
    with pytest.raises(ValueError, match="broken") as caught:
        breaks(found)
    summary = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert SECRET not in "".join(summary.format()) + repr([found]) + f"{found}"
    assert not hasattr(found, "__dict__")
    with pytest.raises(TypeError, match="not written anywhere"):
        pickle.dumps(found)


@pytest.mark.parametrize("right", ["withdraw", "transfer"])
def test_a_key_that_may_do_more_than_trade_is_refused(right: str) -> None:
    """Nobody who trades needs that."""
    refuse_dangerous("binance", ("read", "trade"))
    with pytest.raises(VenueRefused, match=f"may {right}"):
        refuse_dangerous("binance", ("trade", right))
