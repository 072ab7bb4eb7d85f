"""A sweep of 64 runs on one worker and on two: wall time, speed-up, and memory for each worker.

The runs are of one instrument's day, the peers' workload (`events.npy` of their generator), else of
a seeded walk; the maker pegs one bid and one ask to the mid, looked at every 100 ms, and every run
has other parameters. Of a page that several processes share PSS counts a part for each: the rows,
40 bytes each, are such pages; what a process has copied or made is anonymous. Memory is looked at
once every worker has played. Where the machine does other work too, compare the processors' time.

    python benchmarks/bench_sweep.py --json
    python benchmarks/bench_sweep.py --json --events events.npy
"""

import argparse
import itertools
import json
import os
import re
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench_rows import walk
from event_rows import INSTRUMENT, write_workload

from mm.apps.sweep import Base, Grid, Sweep
from mm.apps.sweep_pool import LocalPool
from mm.apps.sweep_results import Results
from mm.apps.sweep_trial import Setup, code
from mm.apps.sweep_window import windows_of
from mm.log.row_file import RowFile
from mm.log.row_tables import Tables
from mm.log.row_writer import write_rows
from mm.sim.compiled_run import warm

RUNS: Final = 64
ROWS: Final = 5_000_000
WORKERS: Final = (1, 2)
PLAIN: Final = {
    "desk": "sweep",
    "strategies": {
        "maker": {
            "kind": "pegged",
            "instrument": INSTRUMENT.name,
            "order_size": "0.01",
            "position_max": "1",
            "half_spread_ticks": 2.0,
            "refresh": "100ms",
        }
    },
    "limits": {
        INSTRUMENT.name: {
            "order_size_max": "1",
            "order_notional_max": "100000",
            "position_max": "2",
            "open_orders_max": 20,
            "price_collar_bps": 100,
            "messages_per_second_max": 1_000,
        }
    },
}


def points(runs: int) -> list[dict[str, str]]:
    """As many sets of parameters."""
    spreads = [f"{2 + number / 2:g}" for number in range(-(-runs // 8))]
    skews = [f"{number / 2:g}" for number in range(8)]
    return [
        {"strategies.maker.half_spread_ticks": spread, "strategies.maker.skew_ticks": skew}
        for spread, skew in itertools.islice(itertools.product(spreads, skews), runs)
    ]


def memory(pid: int) -> dict[str, float]:
    """What a process holds, in MB: resident, its share of that, and what no other can share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    wanted = ("Rss", "Pss", "Anonymous")
    return {
        name: int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1]) / 1024 for name in wanted
    }


def processors() -> float:
    """Seconds that this process and the workers that ended have used."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def swept(rows: RowFile, workers: int, runs: int, out: Path) -> dict[str, Any]:
    """One sweep, and the most that any of its workers was seen to hold."""
    setup = Setup(windows=tuple(windows_of("workload", rows)))
    base = Base(plain=PLAIN, environment={}, where="benchmark")
    most: dict[str, float] = {}
    looked = began = time.perf_counter()
    ended, spent = 0, processors()

    with Results(out / f"{workers}.duckdb") as results, LocalPool(setup, workers) as pool:

        def heard(one: int) -> None:
            nonlocal looked, ended
            ended += one
            if ended > 2 * workers and time.perf_counter() - looked >= 0.3:
                looked = time.perf_counter()
                for pid in pool.pids():
                    for name, size in memory(pid).items():
                        most[name] = max(most.get(name, 0), size)

        sweep = Sweep(base, setup, results, code())
        sweep.run(Grid(points(runs)), pool, "sharpe", heard)
        wall = time.perf_counter() - began
    found = [each for candidate in sweep.candidates for each in candidate.found.values() if each]
    busy = sum(each.seconds for each in found)
    return {
        "workers": workers,
        "seconds": round(wall, 2),
        "runs": len(found),
        "failed": len(sweep.failures),
        "seconds_in_runs": round(busy, 2),
        "processor_seconds": round(processors() - spent, 2),
        "rows_per_second": round(rows.header.rows * len(found) / wall),
        "orders": sum(each.figures.orders for each in found if each.figures),
        "worker_mb": {name: round(size) for name, size in most.items()},
        "digests": [each.digest for each in found],
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    warm()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.arrow"
        if asked.events:
            rows = write_workload(asked.events, file)
        else:
            rows = write_rows(file, Tables(instruments=[INSTRUMENT]), walk(ROWS))
        rows.load()
        found = [swept(rows, workers, asked.runs, Path(folder)) for workers in WORKERS]
    digests = [each.pop("digests") for each in found]
    report = {
        "rows": rows.header.rows,
        "rows_mb": round(rows.header.rows * 40 / 2**20),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "sweeps": found,
        "speed_up": round(found[0]["seconds"] / found[1]["seconds"], 2),
        "equal_results": digests[0] == digests[1],
    }
    if asked.json:
        print(json.dumps(report, indent=2))
        return
    for each in found:
        print(f"{each['workers']} workers: {each['runs']} runs in {each['seconds']:.1f} s")
        print(
            f"  {each['rows_per_second']:,} rows/s; a worker holds at most {each['worker_mb']} MB"
        )
    print(f"speed-up {report['speed_up']}, equal results: {report['equal_results']}")


if __name__ == "__main__":
    main()
