"""Who takes part in the benchmark, and one run of one of them.

A contestant is a command in a process of its own: `-m` and a module, with the options that make it
this contestant. `--events FILE --tick T --lot L` follow, and it prints one line of JSON, written as
`measure` writes it; what it prints before is ignored. The time of the whole process is taken from
outside: from a cold start to the printed result. Within a group all do the same work, and the first
one that ran is what the others are compared with.
"""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.peers.environments import HFTBACKTEST, NAUTILUS, Environment

ROOT: Final = Path(__file__).parents[2]
SECONDS_MAX: Final = 900

GROUPS: Final = {
    "maker": "a market maker that looks every 100 ms",
    "events": "a call back on every event, a new order on each thousandth",
    "none": "no strategy",
}
"""What a group's work is. What calls back differs: a timestamp, an event or a message each time."""


@dataclass(frozen=True)
class Contestant:
    """A name for the table, its group, its command, and the environment if not our own."""

    name: str
    group: str
    command: tuple[str, ...]
    environment: Environment | None = None


@dataclass(frozen=True)
class Day:
    """What is played: a file of events, and the increments of its prices and sizes."""

    path: Path
    tick: str
    lot: str


class Failed(Exception):
    """A contestant's process ended without a result; the message says how."""


def hft(name: str, workload: str, *options: str) -> Contestant:
    """A run of hftbacktest."""
    command = ("-m", "benchmarks.peers.hft", workload, *options)
    return Contestant(f"hftbacktest, {name}", workload, command, HFTBACKTEST)


def nautilus(name: str, workload: str, *options: str) -> Contestant:
    """A run of NautilusTrader 2.0."""
    command = ("-m", "benchmarks.peers.nautilus", workload, *options)
    return Contestant(f"NautilusTrader, {name}", workload, command, NAUTILUS)


def ours(name: str, workload: str, *options: str) -> Contestant:
    """A run of our own pass."""
    command = ("-m", "benchmarks.peers.ours", workload, *options)
    return Contestant(f"mm, {name}", workload, command)


CONTESTANTS: Final = (
    ours("their rules, risk-averse", "maker", "--queue", "risk"),
    ours("their rules, power 3", "maker", "--queue", "power3"),
    ours("our rules, risk-averse", "maker", "--rules", "ours"),
    ours("their rules, plain Python, woken by news", "maker", "--python", "changed"),
    ours("their rules, plain Python, every 100 ms", "maker", "--python", "look"),
    hft("hash book, risk-averse", "maker", "--depth", "hash", "--queue", "risk"),
    hft("hash book, power 3", "maker", "--depth", "hash", "--queue", "power3"),
    hft("array book, risk-averse", "maker", "--depth", "array", "--queue", "risk"),
    hft("array book, power 3", "maker", "--depth", "array", "--queue", "power3"),
    nautilus("default fills", "maker"),
    nautilus("queue position", "maker", "--queue-position"),
    ours("plain Python, each message", "events", "--rules", "ours"),
    ours("plain Python, each event", "events", "--rules", "ours", "--apart"),
    hft("hash book, compiled", "events", "--depth", "hash"),
    hft("array book, compiled", "events", "--depth", "array"),
    hft("plain Python, 200k", "events", "--interpreted", "--limit", "200000"),
    nautilus("object an event", "events"),
    nautilus("object a message", "events", "--batch"),
    ours("one book", "none", "--rules", "ours"),
    hft("hash book", "none", "--depth", "hash"),
    hft("array book", "none", "--depth", "array"),
    nautilus("object an event", "none"),
    nautilus("object a message", "none", "--batch"),
)


def chosen(words: list[str], among: tuple[Contestant, ...] = CONTESTANTS) -> list[Contestant]:
    """Those whose group is a word or whose name has it in it; all, without a word."""
    wanted = [word.lower() for word in words]
    return [
        each
        for each in among
        if not wanted or any(word == each.group or word in each.name.lower() for word in wanted)
    ]


def run(contestant: Contestant, python: Path, day: Day) -> dict[str, Any]:
    """One run: the line that it printed, with `process_s`, all its seconds; raises `Failed`."""
    played = ["--events", str(day.path), "--tick", day.tick, "--lot", day.lot]
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [python, *contestant.command, *played],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        raise Failed(f"no result within {SECONDS_MAX} s") from slow
    process = time.perf_counter() - began
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no output"]
        raise Failed(f"ended with {done.returncode}: {words[-1]}")
    line: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return line | {"process_s": round(process, 3)}
