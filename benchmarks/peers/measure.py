"""What every contestant measures in the same way, and the one line of JSON it owes its caller.

Time is wall time by phases; only the phase `run` counts for the rate, all others are set-up. Memory
is the high-water mark of this process. Nothing but the standard library is needed here.
"""

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path


@dataclass
class Outcome:
    """What a run came to; money in the quote currency, the position in the base currency."""

    steps: int = 0
    orders: int = 0
    cancels: int = 0
    fills: int = 0
    position: float = 0.0
    balance: float = 0.0
    fee: float = 0.0


@dataclass
class Stopwatch:
    """Seconds of wall and of processor time by phase: `with watch("run"): …`."""

    wall: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Add what happens inside to `phase`."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.wall[phase] = self.wall.get(phase, 0.0) + time.perf_counter() - wall
        self.processor[phase] = self.processor.get(phase, 0.0) + time.process_time() - processor


def peak_rss_mb() -> float:
    """The most memory this process has held, in MiB; a fat parent does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1024, 1)
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale, 1)


def report(events: int, watch: Stopwatch, outcome: Outcome, packages: tuple[str, ...]) -> None:
    """Print the line: the rate, the times, the memory, and what the run came to."""
    run = watch.wall["run"]
    line = {
        "events": events,
        "events_per_s": round(events / run),
        "run_s": round(run, 4),
        "run_processor_s": round(watch.processor["run"], 4),
        "setup_s": round(sum(watch.wall.values()) - run, 4),
        "phases_s": {name: round(seconds, 4) for name, seconds in watch.wall.items()},
        "peak_rss_mb": peak_rss_mb(),
        **{name: round(figure, 9) for name, figure in asdict(outcome).items()},
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }
    print(json.dumps(line), flush=True)


def arguments(description: str | None, workloads: tuple[str, ...]) -> argparse.ArgumentParser:
    """The options that all contestants have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("workload", choices=workloads)
    parser.add_argument("--events", type=Path, required=True, help="an .npy file of `EVENT`")
    parser.add_argument("--limit", type=int, help="play only so many events")
    parser.add_argument("--tick", default="0.1", help="the price increment")
    parser.add_argument("--lot", default="0.001", help="the size increment")
    parser.add_argument("--half", type=float, default=2.0, help="half spread, in ticks")
    parser.add_argument("--skew", type=float, default=0.5, help="ticks a full quote of inventory")
    parser.add_argument("--qty", type=int, default=10, help="size of a quote, in lots")
    parser.add_argument("--max-position", type=int, default=100, help="in lots; a side stops there")
    parser.add_argument("--entry-ns", type=int, default=1_000_000, help="latency of our orders")
    parser.add_argument("--response-ns", type=int, default=1_000_000, help="and of the answers")
    parser.add_argument("--requote", type=int, default=1_000, help="calls back between orders")
    return parser
