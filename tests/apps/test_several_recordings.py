"""Several recordings played as one market, from the command line."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pytest

from mm.analytics.run import Run
from mm.apps import config as configs
from mm.apps.played import played, rows_at
from mm.log.archive import ArchiveWriter
from mm.log.chain import START as HEAD
from mm.log.chain import advance, seal
from mm.sim.synthetic import SyntheticMarket, SyntheticSettings
from tests.apps.processes import here, refused
from tests.build import START

if TYPE_CHECKING:
    from pathlib import Path

    from mm.events.units import Nanos

MAKER: Final = """
[strategies.{name}]
kind = "symmetric"
instrument = "{instrument}"
order_size = 0.05
position_max = 0.5
half_spread_bps = 0.4
refresh = "50ms"

[limits."{instrument}"]
order_size_max = 0.5
order_notional_max = 50000
position_max = 1
open_orders_max = 20
price_collar_bps = 50
messages_per_second_max = 1000
"""
CONFIG: Final = """
desk = "two"
[feed]
kind = "synthetic"
[paper]
latency = "fast"
queue = "log"
""" + "".join(
    MAKER.format(name=name, instrument=f"synthetic:{symbol}")
    for name, symbol in (("one", "BTC-USDT"), ("other", "ETH-USDT"))
)


def recorded(path: Path, symbol: str, lot_size: str, seed: int) -> Path:
    """A recording of some hundred messages of a market of that name."""
    settings = SyntheticSettings(symbol=symbol, lot_size=Decimal(lot_size))
    market = SyntheticMarket(settings, seed, START)
    told: list[tuple[Nanos, tuple[Any, ...]]] = [(START, (market.instrument,))]
    told += islice(market.messages(), 800)
    head = HEAD
    with ArchiveWriter(path, name=path.name, kind="recording") as writer:
        for at, facts in told:
            sealed = seal(head, at, facts, ())
            head = advance(head, sealed)
            writer.append(sealed)
    return path


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of one time, and a config that trades in both."""
    place = tmp_path_factory.mktemp("two")
    recorded(place / "btc", "BTC-USDT", "0.001", 3)
    recorded(place / "eth", "ETH-USDT", "0.01", 4)
    (place / "maker.toml").write_text(CONFIG)
    return place


def words(desk: Path, *names: str) -> tuple[Any, ...]:
    """The command line of a backtest."""
    return ("replay", "backtest", *names, "--strategy", desk / "maker.toml", "--data", desk)


def test_two_recordings_are_one_market(desk: Path, tmp_path: Path) -> None:
    """Both are traded in; run, tear sheet and page name both."""
    run, page = tmp_path / "run", tmp_path / "page.html"
    ran = here(*words(desk, "btc", "eth"), "--run", run, "--report", page)
    assert ran.returncode == 0, ran.stderr
    found = Run.open(run)
    names = [each.name for each in found.info.instruments]
    assert names == ["synthetic:BTC-USDT", "synthetic:ETH-USDT"]
    assert set(found.fills["instrument"].tolist()) == {0, 1}
    assert (found.info.name, found.info.recording) == ("btc + eth", f"{desk}/btc, {desk}/eth")
    for text in (ran.stdout.replace("\n", ""), page.read_text()):
        assert "btc + eth" in text
        assert f"{desk}/btc, {desk}/eth" in text


def test_blocks_do_not_show(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows fed by threes leave the bytes that whole batches leave."""
    config = configs.load(desk / "maker.toml", {}, {})
    rows = rows_at(desk / "btc", desk / "eth")
    whole = played(config, [desk / "btc", desk / "eth"], rows)
    by_threes = rows.blocks(3)
    monkeypatch.setattr(type(rows), "blocks", lambda _: by_threes)
    assert played(config, [desk / "btc", desk / "eth"], rows).digests() == whole.digests()
    assert next(by_threes, None) is None
    assert len(whole.fills) > 0


def test_one_instrument_is_recorded_once(desk: Path) -> None:
    """The same instrument in two recordings is named, and nothing is played."""
    refused(
        here(*words(desk, "btc", "btc")),
        2,
        "ConfigError",
        "synthetic:BTC-USDT stands in more than one",
        f"{desk}/btc, {desk}/btc",
    )


@pytest.mark.parametrize("option", [("--plain",), ("--out",)])
def test_turn_by_turn_plays_one(desk: Path, tmp_path: Path, option: tuple[str, ...]) -> None:
    """The plain way says that it takes one recording only."""
    given = (*option, tmp_path / "log") if option == ("--out",) else option
    ran = here(*words(desk, "btc", "eth"), *given)
    refused(ran, 2, "ConfigError", "not several as one market", "--plain")


def test_a_sweep_over_one_market(desk: Path, tmp_path: Path) -> None:
    """With --together a trial is the backtest of both recordings; without, one of each."""
    common = ("--data", desk, "--step", 1, "--workers", 1, "--out", tmp_path, "--json")
    key = "strategies.one.half_spread_bps"
    words_given = ("replay", "sweep", desk / "maker.toml", "btc", "eth", "--grid", f"{key}=0.4")
    ran = here(*words_given, *common, "--together", "--currency", "USDT")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["trials"] == 1
    played_once = json.loads(here(*words(desk, "btc", "eth"), "--json").stdout)
    with duckdb.connect(str(tmp_path / "sweep.duckdb"), read_only=True) as database:
        found = database.execute("SELECT recording, orders, fills FROM trials").fetchall()
    both = f"{desk}/btc, {desk}/eth"
    assert found == [(both, played_once["orders"], played_once["fills"])]
