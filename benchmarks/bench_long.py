"""A long recording from end to end: 50 million rows through `mm replay backtest`, and its peak.

The rows are the peers' synthetic day, one day after another, beside a recording of the instrument
alone, where `mm` looks for the rows of a recording. The command runs in a process of its own, over
one day and over all of them: what grows between the two are its results.

    python benchmarks/bench_long.py --json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from event_rows import INSTRUMENT, blocks_of

TOP: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP))

from benchmarks.peers import workload  # noqa: E402 - found once the line above has run.
from mm.events.units import Nanos  # noqa: E402
from mm.log.archive import ArchiveWriter  # noqa: E402
from mm.log.chain import START, advance, seal  # noqa: E402
from mm.log.row_cache import DIRECTORY, NAME  # noqa: E402
from mm.log.row_file import RowFile  # noqa: E402
from mm.log.row_tables import Tables  # noqa: E402
from mm.log.row_writer import write_rows  # noqa: E402
from mm.sim.results import FILL, ORDER, POINT  # noqa: E402

ROWS: Final = 50_000_000
GOAL_MB: Final = 1_500
RUN: Final = """
import atexit, os, pathlib, re
status, peak = pathlib.Path("/proc/self/status"), pathlib.Path(os.environ["PEAK"])
atexit.register(lambda: peak.write_text(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]))
from mm.apps.cli import main
main()
"""
CONFIG: Final = f"""
desk = "long"

[feed]
kind = "synthetic"

[strategies.maker]
kind = "pegged"
instrument = "{INSTRUMENT.name}"
order_size = 0.01
position_max = 0.1
half_spread_ticks = 2.0
skew_ticks = 0.5
refresh = "100ms"

[limits."{INSTRUMENT.name}"]
order_size_max = 1
order_notional_max = 1000000
position_max = 10
open_orders_max = 10
price_collar_bps = 500
messages_per_second_max = 1000
"""


def recording(path: Path, events: Path, days: int) -> RowFile:
    """An archive that defines the instrument, and the rows of so many days beside it."""
    with ArchiveWriter(path, name=path.name, kind="recording") as writer:
        sealed = seal(START, Nanos(workload.OPENS_NS), (INSTRUMENT,), ())
        writer.append(sealed)
    source = advance(START, sealed).hash.hex()
    (path / DIRECTORY).mkdir()
    tables = Tables(instruments=[INSTRUMENT])
    return write_rows(path / DIRECTORY / NAME, tables, blocks_of(events, days), source=source)


def backtest(place: Path, path: Path) -> dict[str, Any]:
    """Run the command to its end; its peak is that of its resident memory, in MB."""
    words = ("replay", "backtest", str(path), "--strategy", str(place / "maker.toml"), "--json")
    peak = place / "peak"
    given = {"PYTHONPATH": str(TOP), "MM_DATA": str(place), "PEAK": str(peak)}
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **given},
    )
    seconds = time.monotonic() - began
    result = json.loads(told.stdout)
    return {
        "rows": RowFile.open(path / DIRECTORY / NAME).header.rows,
        "orders": result["orders"],
        "fills": result["fills"],
        "events_per_second": round(result["events_per_second"]),
        "whole_process_seconds": round(seconds, 1),
        "peak_mb": round(int(peak.read_text()) / 1024),
    }


def measured(rows: int) -> dict[str, Any]:
    """One day, and as many as have so many rows."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "maker.toml").write_text(CONFIG)
        events = workload.stored(place)
        day = recording(place / "day", events, 1)
        recording(place / "long", events, -(-rows // day.header.rows))
        backtest(place, place / "day")  # Compiles, if need be.
        short, long = (backtest(place, place / name) for name in ("day", "long"))
    results = {"ORDER": ORDER.itemsize, "FILL": FILL.itemsize, "POINT": POINT.itemsize}
    more = long["orders"] - short["orders"]
    return {
        "day": short,
        "long": long,
        "goal_mb": GOAL_MB,
        "bytes_a_result": results,
        "bytes_an_order_more": round((long["peak_mb"] - short["peak_mb"]) * 2**20 / max(more, 1)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measured(options.rows)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name in ("day", "long"):
        print(name, *(f"{key} {value:,}" for key, value in found[name].items()), sep="  ")
    print(f"{found['bytes_an_order_more']:,} bytes for each order more, its fills and samples too")


if __name__ == "__main__":
    main()
