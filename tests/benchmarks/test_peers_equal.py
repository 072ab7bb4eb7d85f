"""The pass does to the last order what hftbacktest does, on our workload and on recordings.

What hftbacktest did on the beginning of two recordings is kept here as counts, account and hashes,
for where it is not installed. A recording that was imported whole makes them anew:

    python -m benchmarks.peers.equal --recording DIRECTORY --events 1 --limit 200000
        --latency-ns 1000000 20000000 --json FILE
"""

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from benchmarks.peers import ours, workload
from benchmarks.peers.contestants import Day
from benchmarks.peers.environments import HFTBACKTEST, Absent, cache, existing
from benchmarks.peers.equal import (
    Done,
    columns,
    differences,
    hash_of,
    hashed,
    played,
    theirs_of,
)
from benchmarks.peers.events import Events
from benchmarks.peers.recorded import events_of, looped
from benchmarks.peers.reference import Rule, reference
from mm.apps import config as configs
from mm.apps.played import played as backtested
from mm.gateways.capture_import import CaptureImport
from mm.gateways.definitions import definitions
from mm.gateways.recorder import Recorder
from mm.gateways.totals import Problems
from mm.log.archive import ArchiveWriter
from mm.log.row_cache import rows_of
from tests.gateways.lines import SPOT_2024, USDM_2023, USDM_2024, recording

COUNT: Final = 400_000
LINES: Final = 50_000
"""Enough for the events that were played when the results were kept."""
KEPT: Final = {USDM_2024: "hftbacktest-2024.json", USDM_2023: "hftbacktest-2023.json"}
LAPS: Final = {USDM_2024: 2, SPOT_2024: 1, USDM_2023: 1}
INCREMENTS: Final = {
    USDM_2024: ("0.1", "0.001"),
    SPOT_2024: ("0.01", "0.00001"),
    USDM_2023: ("0.1", "0.001"),
}
RULES: Final = (("risk", 1_000_000), ("power3", 20_000_000))
"""Queue models, each with a latency in nanoseconds, each way."""


def rule_of(queue: str, latency: int) -> Rule:
    """The maker, and the venue so far away."""
    return Rule(queue=queue, entry_ns=latency, response_ns=latency)


def day_of(events: Events, name: str, folder: Path) -> Day:
    """A file of events, with the increments of a recording."""
    file = folder / "events.npy"
    np.save(file, events)
    return Day(file, *INCREMENTS[name])


def theirs(day: Day, rule: Rule) -> Done:
    """What hftbacktest does; the test is skipped where it is not installed."""
    try:
        python = existing(HFTBACKTEST, cache())
    except Absent as reason:
        pytest.skip(str(reason))
    until = int(np.load(day.path, mmap_mode="r")["local_ts"][-1])
    return theirs_of(reference(day, rule, python), rule, day.lot, until)


def assert_same(day: Day, rule: Rule) -> None:
    """Every order, cancel and fill, and the account."""
    wanted = theirs(day, rule)
    assert min(len(wanted.orders), len(wanted.cancels), len(wanted.fills)) > 100
    assert not differences(played(np.load(day.path), rule, day), wanted)


def archived(name: str, folder: Path, lines: int | None = None, without: bytes = b"none") -> Path:
    """A recording, or its first lines, imported; lines with some bytes in them are left out."""
    capture = folder / name
    with gzip.open(recording(name)) as source, gzip.open(capture, "wb", 1) as target:
        target.writelines(line for line in islice(source, lines) if without not in line)
    with ArchiveWriter(folder / "archive", name="market", kind="recording") as writer:
        CaptureImport([capture], definitions([]), Problems(strict=False)).run(Recorder(writer))
    return folder / "archive"


def kept(name: str) -> dict[str, Any]:
    """What hftbacktest did on the beginning of a recording."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name(KEPT[name]).read_text())
    return document


@pytest.mark.storm
@pytest.mark.parametrize("latency", [1_000_000, 20_000_000])
@pytest.mark.parametrize("queue", ["risk", "power3"])
def test_a_synthetic_day(queue: str, latency: int, tmp_path: Path) -> None:
    """Ids, times, sides, prices and sizes, all in order, position, balance and fee."""
    day = day_of(workload.generate(COUNT), USDM_2024, tmp_path)
    assert_same(day, rule_of(queue, latency))


@pytest.mark.storm
@pytest.mark.parametrize("name", LAPS)
@pytest.mark.parametrize(("queue", "latency"), RULES)
def test_a_recording(name: str, queue: str, latency: int, tmp_path: Path) -> None:
    """The same on every line of each recording, of the first one twice over."""
    events = looped(events_of(rows_of(archived(name, tmp_path)).load()), LAPS[name])
    assert_same(day_of(events, name, tmp_path), rule_of(queue, latency))


@pytest.mark.parametrize("name", KEPT)
def test_what_was_kept(name: str, tmp_path: Path) -> None:
    """The beginning of a recording comes to what hftbacktest made of it, hash by hash."""
    document = kept(name)
    events = events_of(rows_of(archived(name, tmp_path, LINES)).load())[: document["events"]]
    assert hashed(events) == document["sha256"], "other events than those that it was told"
    day = day_of(events, name, tmp_path)
    assert len(document["runs"]) == 4
    for run in document["runs"]:
        rule = rule_of(run["queue"], run["latency_ns"])
        assert played(events, rule, day).summary() == run["done"]


@pytest.mark.storm
@pytest.mark.parametrize("name", KEPT)
def test_what_was_kept_is_what_it_does(name: str, tmp_path: Path) -> None:
    """The results that were kept are those of the hftbacktest that is installed."""
    document = kept(name)
    events = events_of(rows_of(archived(name, tmp_path, LINES)).load())[: document["events"]]
    day = day_of(events, name, tmp_path)
    for run in document["runs"]:
        assert theirs(day, rule_of(run["queue"], run["latency_ns"])).summary() == run["done"]


def config_of(run: dict[str, Any]) -> configs.Config:
    """The same maker and venue as a file would name them."""
    name, delay = "binance_usdm:BTCUSDT", f"{run['latency_ns']}ns"
    maker = {
        "kind": "pegged",
        "instrument": name,
        "order_size": "0.01",
        "position_max": "0.1",
        "half_spread_ticks": 2.0,
        "skew_ticks": 0.5,
        "refresh": "100ms",
    }
    limits = {
        "order_size_max": "1",
        "order_notional_max": "500000",
        "position_max": "10",
        "open_orders_max": 100,
        "price_collar_bps": 5_000,
        "messages_per_second_max": 1_000,
    }
    queue = ours.QUEUES[run["queue"]]
    written = {
        "desk": "maker",
        "feed": {"kind": "recording", "path": "market", "speed": "max"},
        "paper": {
            "entry": [delay, delay],
            "response": [delay, delay],
            "matching": "whole",
            "queue": queue,
        },
        "strategies": {"maker": maker},
        "limits": {name: limits},
    }
    return configs.build(written, {}, {}, where="this test")


def test_a_backtest_does_it_too(tmp_path: Path) -> None:
    """So does `mm replay backtest` with whole matching, where the venue's quotes are left out."""
    document = kept(USDM_2024)
    archive = archived(USDM_2024, tmp_path, LINES, without=b"bookTicker")
    assert hashed(events_of(rows_of(archive).load())[: document["events"]]) == document["sha256"]
    for run in document["runs"]:
        wanted, made = run["done"], backtested(config_of(run), [archive])
        orders, fills = made.orders[: wanted["orders"]], made.fills[: wanted["fills"]]
        names = ("placed", "id", "price", "side")
        assert hash_of(columns(*(orders[each] for each in names))) == wanted["sha256"]["orders"]
        parts = ("at", "order", "price", "size", "side")
        told = columns(*(fills[each] for each in parts), 1 - fills["taker"].astype(np.int64))
        assert hash_of(told) == wanted["sha256"]["fills"]
