"""Replay beside its peers: the same events, the same quoting rule, one run, rounds in turn.

Every contestant runs in a process of its own, peers in environments of their own, which are made on
first use (a minute each); one that cannot be had is left out with the reason. In each round all
contestants take their turn, every other round backwards. The day is synthetic and seeded, or a
recording lap after lap.

    python benchmarks/replay_vs_peers.py --rounds 5 --json FILE
    python benchmarks/replay_vs_peers.py --recording DIRECTORY --only maker
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.peers import contestants, recorded, table, workload
from benchmarks.peers.contestants import Contestant, Day, Failed
from benchmarks.peers.environments import Absent, cache, made
from benchmarks.peers.table import Entry

ROUNDS = 3


def options() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="a group, or part of a name"
    )
    parser.add_argument("--events", type=int, default=workload.COUNT, help="how many to play")
    parser.add_argument("--recording", type=Path, help="a directory made by `mm import`")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all figures here")
    parser.add_argument("--python312", type=Path, help="the Python for hftbacktest")
    parser.add_argument("--python313", type=Path, help="the Python for NautilusTrader")
    parser.add_argument("--list", action="store_true", help="name the contestants and stop")
    return parser.parse_args()


def day(asked: argparse.Namespace) -> Day:
    """The events to play, made or taken from the cache."""
    if asked.recording is None:
        path = workload.stored(cache(), asked.events)
        return Day(path, workload.TICK, workload.LOT)
    path, instrument = recorded.stored(asked.recording, cache(), asked.events)
    return Day(path, str(instrument.tick_size), str(instrument.lot_size))


def pythons(asked: argparse.Namespace, entries: list[Entry]) -> dict[str, Path]:
    """The interpreter of each environment; whose is absent is told and left out."""
    named = {"3.12": asked.python312, "3.13": asked.python313}
    found: dict[str, Path] = {}
    reasons: dict[str, str] = {}
    for entry in entries:
        wanted = entry.contestant.environment
        if wanted and wanted.name not in found | reasons:
            try:
                found[wanted.name] = made(wanted, cache(), named[wanted.python])
            except Absent as absent:
                reasons[wanted.name] = str(absent)
                print(f"left out: {absent}", flush=True)
        if wanted and wanted.name in reasons:
            entry.reason = reasons[wanted.name]
    return found


def turn(entry: Entry, found: dict[str, Path], played: Day) -> None:
    """One contestant's turn in a round; one that failed takes no further part."""
    if entry.reason:
        return
    contestant: Contestant = entry.contestant
    wanted = contestant.environment
    python = found[wanted.name] if wanted else Path(sys.executable)
    try:
        line = contestants.run(contestant, python, played)
    except Failed as failed:
        entry.reason = str(failed)
        print(f"  {contestant.group:6}  {contestant.name}: {failed}", flush=True)
        return
    entry.lines.append(line)
    rate, process = line["events_per_s"] / 1e6, line["process_s"]
    print(
        f"  {contestant.group:6}  {contestant.name:40} {rate:8.3f} M/s {process:8.1f} s", flush=True
    )


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def main() -> int:
    """Play all rounds, print the table; 1 if a contestant that is here failed."""
    asked = options()
    entries = [Entry(each) for each in contestants.chosen(asked.only)]
    if asked.list or not entries:
        print("\n".join(f"{each.group:8}{each.name}" for each in contestants.CONTESTANTS))
        return 0 if asked.list else 2
    where = machine()
    played = day(asked)
    found = pythons(asked, entries)
    absent = {entry.contestant.name for entry in entries if entry.reason}
    try:
        for number in range(1, asked.rounds + 1):
            print(f"round {number} of {asked.rounds}", flush=True)
            for entry in entries if number % 2 else reversed(entries):
                turn(entry, found, played)
    except KeyboardInterrupt:
        print("stopped; what was measured by then:")
    print(table.rendered(entries))
    if asked.json:
        told = {"day": str(played.path.name), "rounds": asked.rounds, "machine": where}
        told["contestants"] = table.document(entries)
        asked.json.write_text(json.dumps(told, indent=2) + "\n")
    return int(any(each.reason and each.contestant.name not in absent for each in entries))


if __name__ == "__main__":
    sys.exit(main())
