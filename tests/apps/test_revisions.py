"""A recording whose instrument is revised midway: by the pass, turn by turn, and in parts."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from mm.analytics.run import Run
from mm.apps.sweep_window import clip_of, windows_of
from mm.events.units import Nanos
from mm.gateways.recorded import RecordedFeed
from mm.log.archive import ArchiveWriter
from mm.log.chain import START as HEAD
from mm.log.chain import advance, seal
from mm.log.row_cache import rows_of
from mm.log.rows import Kind
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings
from tests.apps.fire import CONFIG
from tests.apps.processes import here, refused
from tests.build import START

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = 1_500
PAPER = '[paper]\nlatency = "fast"\n\n[strategies.maker]'
REVISED = 1_000


def recorded(path: Path, **changes: Any) -> Path:
    """A recording of a market whose instrument is revised on the way."""
    market = SyntheticMarket(SyntheticSettings(), 3, START)
    first = market.instrument
    told: list[tuple[Nanos, tuple[Any, ...]]] = [(START, (first,))]
    told += islice(market.messages(), MESSAGES)
    at, facts = told[REVISED]
    told[REVISED] = (at, (*facts, replace(first, revision=2, **changes)))
    head = HEAD
    with ArchiveWriter(path, name=path.name, kind="recording") as writer:
        for at, facts in told:
            sealed = seal(head, at, facts, ())
            head = advance(head, sealed)
            writer.append(sealed)
    return path


def written(place: Path) -> Path:
    """The config of a maker that is often filled, in a file."""
    path = place / "maker.toml"
    path.write_text(CONFIG.replace("[strategies.maker]", PAPER))
    return path


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fees ten times as high from some message on."""
    fees = {"maker_fee": Decimal("0.002"), "taker_fee": Decimal("0.005")}
    return recorded(tmp_path_factory.mktemp("revised") / "market", **fees)


def test_both_ways_charge_the_fee_in_force(market: Path, tmp_path: Path) -> None:
    """The pass and the plain way have the same orders and fills, and pay the same fees."""
    words = ("replay", "backtest", market, "--strategy", written(tmp_path), "--json")
    fast, slow = here(*words, "--run", tmp_path / "run"), here(*words, "--plain")
    assert (fast.returncode, slow.returncode) == (0, 0), fast.stderr + slow.stderr
    one, other = json.loads(fast.stdout), json.loads(slow.stdout)["statistics"]
    assert (one["orders"], one["fills"]) == (other["orders"], other["fills"])
    (account,), (standing,) = one["performance"]["accounts"], other["standings"]
    told = Decimal(standing["fees"])
    assert Decimal(account["profit"]["fees"]).quantize(told) == told
    found = Run.open(tmp_path / "run")
    assert set(found.fills["revision"].tolist()) == {0, 1}
    assert found.info.fees == "0.0002 / 0.0005, then 0.002 / 0.005"


def test_a_session_of_it_is_reproduced(market: Path, tmp_path: Path) -> None:
    """What-if hears the revision where the session heard it: every fill, the same profit."""
    words = ("replay", "backtest", market, "--strategy", written(tmp_path))
    assert here(*words, "--out", tmp_path / "log").returncode == 0
    ran = here("replay", "whatif", tmp_path / "log", "--json")
    assert ran.returncode == 0, ran.stderr
    trust = json.loads(ran.stdout)["trust"]
    assert (trust["score"], trust["surplus"]) == (1.0, 0)
    assert not any(Decimal(each) for each in trust["profit_difference"].values())
    assert here("replay", "verify", tmp_path / "log").returncode == 0


def test_a_feed_goes_on_with_what_was_revised(market: Path) -> None:
    """Played from after the revision, it begins with it; from before, it comes in its message."""
    feed = RecordedFeed(market)
    (first,) = feed.instruments
    assert first.maker_fee == Decimal("0.0002")
    whole = [fact for message in feed.messages(Nanos(0)) for fact in message.facts]
    revised = [fact for fact in whole if type(fact) is type(first)]
    assert len(revised) == 1
    later = feed.messages(Nanos(START + 4_500_000_000))
    assert next(later).facts == tuple(revised)


def test_a_window_begins_with_what_was_revised(market: Path) -> None:
    """The part after the revision is played under it from its first turn on."""
    last = clip_of(windows_of("market", rows_of(market), 4)[3])
    stood = next(last.blocks())
    assert stood["kind"][-1] == Kind.DEFINED
    assert stood["price"][-1] == 0


def test_other_ticks_are_refused(tmp_path: Path) -> None:
    """A change of the tick is another instrument: named, and nothing is played."""
    market = recorded(tmp_path / "market", tick_size=Decimal("0.5"))
    ran = here("replay", "backtest", market, "--strategy", written(tmp_path))
    refused(ran, 3, "BadInput", "changes its name, its kind or its steps", "revision 2")
