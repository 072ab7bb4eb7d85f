"""Commands as people meet them: how long from Enter to the answer, in a process of its own.

The log is a synthetic recording of `--seconds` (a desk of the same turns is made beside it, so that
`check` and `show` also read JetStream). Baseline: a Python process that does nothing.

    python benchmarks/bench_commands.py --seconds 600 --json
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mm.log import streams
from mm.log.archive import Archive
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog, LogOptions
from mm.log.server import EmbeddedServer

RUNS = 3
RUN = "import sys; from mm.apps.cli import main; main(sys.argv[1:])"
BASELINE = ("-c", "pass")


def timed(*arguments: str) -> dict[str, float]:
    """Seconds on the clock and on the processor, each the least of several runs."""
    wall, cpu = [], []
    for _ in range(RUNS):
        began, spent = time.perf_counter(), children()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        wall.append(time.perf_counter() - began)
        cpu.append(children() - spent)
    return {"seconds": min(wall), "cpu_seconds": min(cpu)}


def children() -> float:
    """Processor seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def mm(*arguments: str) -> dict[str, float]:
    """Seconds of a command."""
    return timed("-c", RUN, *arguments)


async def stored(root: Path, recording: Path) -> None:
    """A desk whose log holds the recording's turns."""
    async with EmbeddedServer(root / "store", sync="2m") as server:
        nc = await connect(server.access)
        log = await JetStreamLog.open(nc, streams.load(root.name), LogOptions(mark=root / "mark"))
        for sealed in Archive(recording).turns():
            await log.append(sealed)
        await log.close()
        await close(nc)


def measured(data: Path, seconds: float) -> dict[str, dict[str, float]]:
    """Every figure, in seconds."""
    recording = data / "rec"
    market = ("--feed", "synthetic", "--seconds", f"{seconds:g}", "--out", str(recording))
    subprocess.run([sys.executable, "-c", RUN, "record", *market], check=True, capture_output=True)
    asyncio.run(stored(data / "desk", recording))
    found = {"baseline": timed(*BASELINE), "mm --help": mm("--help")}
    found["mm log ls"] = mm("log", "ls", "--data", str(data))
    for name in ("rec", "desk"):
        for words in ("show --last 20", "stats", "check"):
            command, *options = words.split()
            found[f"mm log {words} ({name})"] = mm("log", command, str(data / name), *options)
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = measured(Path(directory), arguments.seconds)
        head = Archive(Path(directory) / "rec").head
    if arguments.json:
        print(json.dumps({"turns": head.number, "events": head.events, **found}, indent=2))
        return
    print(f"{head.events:,} events in {head.number:,} turns: seconds, and of them on the processor")
    for name, figure in found.items():
        print(f"{name:36} {figure['seconds']:>8.3f} {figure['cpu_seconds']:>8.3f}")


if __name__ == "__main__":
    main()
