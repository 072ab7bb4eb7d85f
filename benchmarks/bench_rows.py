"""Reading rows: a row file by blocks, beside the same rows as .npy and as Parquet; and making one.

The rows are the peers' workload (`events.npy` of their generator) where it is given, else a seeded
walk of as many level changes and trades. Every reader touches each row once; rates are medians of
warm runs, in rows a second. Memory is measured in a process of its own, over what its imports take.

    python benchmarks/bench_rows.py --json
    python benchmarks/bench_rows.py --json --events events.npy --archive btcusdt.rec
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from event_rows import INSTRUMENT, write_workload

from mm.log.archive import Archive
from mm.log.kernels import mixed
from mm.log.row_file import RowFile, words_of
from mm.log.row_market import market_of
from mm.log.row_tables import Tables
from mm.log.row_writer import write_rows
from mm.log.rows import ROW, Flag, Kind, Rows

RUNS = 9
MEMORY = """
import re, sys
from pathlib import Path
from mm.log.row_file import RowFile
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
file = RowFile.open(sys.argv[1])
next(file.blocks(1), None)
before, rows = peak(), 0
for block in file.blocks():
    rows += len(block)
print(before, peak(), rows)
"""


def walk(rows: int) -> Iterator[Rows]:
    """Seeded rows: a level change and its end, turn by turn."""
    generator = np.random.default_rng(7)
    for start in range(0, rows, 1 << 18):
        count = min(1 << 18, rows - start)
        block = np.zeros(count, ROW)
        block["at"] = 1_700_000_000_000_000_000 + (start + np.arange(count)) // 2 * 20_000_000
        block["venue"] = block["at"] - 1_000_000
        block["price"] = 500_000 + generator.integers(-50, 50, count)
        block["size"] = generator.integers(1, 5_000, count)
        block["kind"] = np.where(np.arange(count) % 2, Kind.SETTLED, Kind.BID)
        block["flags"] = np.where(np.arange(count) % 2, Flag.EVENT | Flag.TURN, 0)
        block["flags"][-1] = Flag.EVENT | Flag.TURN
        yield block


def made(options: argparse.Namespace, path: Path) -> RowFile:
    """The file that is read."""
    if options.events is not None:
        return write_workload(options.events, path, options.repeats)
    return write_rows(path, Tables(instruments=[INSTRUMENT]), walk(options.rows))


def touched(blocks: Iterable[Rows]) -> int:
    """Read every word of every row; returns a checksum, so that readers can be compared."""
    total = np.uint64(0)
    for block in blocks:
        total = np.uint64(mixed(total, words_of(block)))
    return int(total)


def mapped(path: Path) -> Iterator[Rows]:
    """Baseline: the same rows as one array on disk."""
    yield np.load(path, mmap_mode="c").view(np.ndarray)


def parquet(path: Path) -> int:
    """Baseline: the same columns compressed, decoded by batches; nothing is assembled."""
    return sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches(1 << 16))


def rate(rows: int, read: Callable[[], object]) -> dict[str, int]:
    """Rates of warm runs: median, least and greatest by the clock, median by the processor."""
    read()
    rates, busy = [], []
    for _ in range(RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        read()
        rates.append(rows / (time.perf_counter() - wall))
        busy.append(rows / (time.process_time() - cpu))
    named = {"median": statistics.median(rates), "min": min(rates), "max": max(rates)}
    named["per_cpu_second"] = statistics.median(busy)
    return {name: round(value) for name, value in named.items()}


def drained(blocks: Iterable[Rows]) -> int:
    """Take every block and look at none."""
    return sum(len(block) for block in blocks)


def memory(path: Path) -> dict[str, int]:
    """Peak of a process that reads the file by blocks, in MiB."""
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], check=True, capture_output=True, text=True
    )
    before, peak, _ = map(int, told.stdout.split())
    return {"imports_mib": before, "peak_mib": peak}


def conversion(path: Path, place: Path) -> dict[str, Any]:
    """Making rows of an archive, once more after the kernels are compiled."""
    for _ in range(2):
        start = time.perf_counter()
        market = market_of(Archive(path))
        file = write_rows(place / "market.arrow", market.tables, market.blocks())
        seconds = time.perf_counter() - start
    return {"rows": file.header.rows, "rows_per_second": round(file.header.rows / seconds)}


def measure(options: argparse.Namespace, place: Path) -> dict[str, Any]:
    """All figures."""
    start = time.perf_counter()
    file = made(options, place / "rows.arrow")
    writing = time.perf_counter() - start
    rows = file.load()
    np.save(place / "rows.npy", rows)
    table = pa.ipc.open_file(pa.OSFile(str(file.path))).read_all()
    pq.write_table(table, place / "rows.parquet", compression="zstd")
    count = file.header.rows
    assert touched(file.blocks()) == touched(mapped(place / "rows.npy"))
    return {
        "rows": count,
        "bytes_a_row": round(file.path.stat().st_size / count, 2),
        "blocks": rate(count, lambda: drained(file.blocks())),
        "blocks_touched": rate(count, lambda: touched(file.blocks())),
        "load_touched": rate(count, lambda: touched([file.load()])),
        "baseline_npy_mapped_touched": rate(count, lambda: touched(mapped(place / "rows.npy"))),
        "baseline_npy_read": rate(count, lambda: np.load(place / "rows.npy")),
        "baseline_parquet": rate(count, lambda: parquet(place / "rows.parquet")),
        "writing_rows_per_second": round(count / writing),
        "memory": memory(file.path),
        "conversion": conversion(options.archive, place) if options.archive else None,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=7_000_000)
    parser.add_argument("--events", type=Path, help="the peers' workload")
    parser.add_argument("--repeats", type=int, default=1, help="so many days of it")
    parser.add_argument("--archive", type=Path, help="a recording to make rows of")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        figures = measure(options, Path(place))
    if options.json:
        json.dump(figures, sys.stdout, indent=2)
        print()
        return
    for name, figure in figures.items():
        shown = figure["median"] if isinstance(figure, dict) and "median" in figure else figure
        print(f"{name:<28} {shown:>14,}" if isinstance(shown, int) else f"{name:<28} {shown}")


if __name__ == "__main__":
    main()
