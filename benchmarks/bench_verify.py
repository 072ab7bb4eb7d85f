"""Verify: a session's decisions recomputed from its log, in events a second, reading included.

The session is a backtest of a maker on a recording (`--recording`, made by `mm import`), else on
the synthetic market; it is stored as an archive and, turn by turn, on an embedded JetStream, and
verified from both. A price level counts as one event. Baseline: reading alone.

    python benchmarks/bench_verify.py --recording btcusdt.rec --json
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from mm.apps import config as configs
from mm.apps.cli.backtesting import backtested
from mm.apps.cli.live import run
from mm.apps.config import Config
from mm.engine.verify import Verifier
from mm.log import streams
from mm.log.archive import Archive
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog
from mm.log.server import EmbeddedServer
from mm.projections.depth import warm

TOP = Path(__file__).resolve().parent.parent
RUNS = 3


def config(recording: str) -> Config:
    """The documented maker, on the recording."""
    plain = configs.read(TOP / "docs" / "maker.toml")
    plain["feed"] = {"kind": "recording", "path": recording, "speed": "max"}
    return configs.build(plain, {}, {}, where="docs/maker.toml")


def figures(rows: int, seconds: float, reading: float) -> dict[str, float]:
    """Rates with and without the reading's share."""
    return {
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "reading_seconds": reading,
        "ratio_to_reading": seconds / reading,
    }


def from_archive(path: Path) -> dict[str, float]:
    """Best of several runs: verify, and reading alone, alternated."""
    took, read, rows = [], [], 0
    for _ in range(RUNS):
        verifier, began = Verifier(), time.perf_counter()
        for sealed in Archive(path).turns():
            assert verifier.take(sealed), "the session does not verify"
        took.append(time.perf_counter() - began)
        rows = verifier.result().rows
        began = time.perf_counter()
        for _sealed in Archive(path).turns():
            pass
        read.append(time.perf_counter() - began)
    return figures(rows, min(took), min(read))


async def from_jetstream(path: Path) -> dict[str, float]:
    """The same from a stream."""
    took, read, rows = [], [], 0
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedServer(Path(directory) / "store", sync="2m") as server:
            nc = await connect(server.access)
            log = await JetStreamLog.open(nc, streams.load("bench"))
            for sealed in Archive(path).turns():
                await log.append(sealed)
            for _ in range(RUNS):
                verifier, began = Verifier(), time.perf_counter()
                async for sealed in log.read():
                    assert verifier.take(sealed), "the session does not verify"
                took.append(time.perf_counter() - began)
                rows = verifier.result().rows
                began = time.perf_counter()
                async for _sealed in log.read():
                    pass
                read.append(time.perf_counter() - began)
            await log.close()
            await close(nc)
    return figures(rows, min(took), min(read))


def main() -> None:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", default="replays/synthetic-maker")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    warm()
    recording = Path(arguments.recording)
    with tempfile.TemporaryDirectory() as directory:
        session = recording
        if not (recording / "expected.json").exists():
            session = Path(directory) / "session"
            backtested(config(str(recording)), recording, session)
        results = {
            "archive": from_archive(session),
            "jetstream": run(from_jetstream(session)),
        }
    if arguments.json:
        json.dump(results, sys.stdout, indent=2)
        return
    for source, each in results.items():
        print(
            f"{source:10} {each['rows']:,} events in {each['seconds']:.2f} s: "
            f"{each['rows_per_second']:,.0f}/s (reading alone {each['reading_seconds']:.2f} s)"
        )


if __name__ == "__main__":
    main()
