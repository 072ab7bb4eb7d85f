"""Writing an archive, reading it back to turns, and asking it: wall time and processor time.

The market is the demo's synthetic one, or that of a recording, in three forms: one message a turn
(as imported), 20 and 100 messages a turn (as a busy runner forms them). A level, trade or quote
counts as one event. Baseline: the same turns as one zstd-compressed file of MessagePack, written
and decoded, unchecked.

    python benchmarks/bench_archive.py --json
    python benchmarks/bench_archive.py --json --recording btcusdt.rec
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from mm.analytics.session import query
from mm.events.codec import decode
from mm.events.turn import TURN_FACTS_MAX
from mm.events.units import SECONDS, Nanos
from mm.events.vocabulary import Fact, levels_in
from mm.gateways.recorded import RecordedFeed, SyntheticFeed
from mm.log.archive import Archive, ArchiveWriter
from mm.log.chain import START, Sealed, advance, seal
from mm.sim.synthetic import SyntheticSettings

QUESTION = "SELECT symbol, count(*), avg(spread_bps) FROM top GROUP BY symbol"


def sealed_turns(
    feed: SyntheticFeed | RecordedFeed, messages: int, grouped: int
) -> Iterator[Sealed]:
    """Turns of so many of the market's messages each."""
    heard = islice(feed.messages(Nanos(0)), messages)
    head, facts = START, list[Fact](feed.instruments)
    while group := list(islice(heard, grouped)):
        facts += [fact for message in group for fact in message.facts]
        at = Nanos(max(head.at, group[-1].received))
        for start in range(0, len(facts), TURN_FACTS_MAX):
            sealed = seal(head, at, facts[start : start + TURN_FACTS_MAX], ())
            head = advance(head, sealed)
            yield sealed
        facts = []


def market(recording: Path | None) -> SyntheticFeed | RecordedFeed:
    """A recording's market, or the synthetic one."""
    if recording is not None:
        return RecordedFeed(recording)
    return SyntheticFeed(SyntheticSettings(), 7, Nanos(1_795_000_000 * SECONDS))


def timed(work: Callable[[], object], events: int) -> dict[str, float]:
    """Events a second, by the clock and by the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"events_per_second": round(events / wall), "per_cpu_second": round(events / cpu)}


def write(path: Path, turns: Sequence[Sealed]) -> None:
    """An archive of these turns."""
    with ArchiveWriter(path, kind="recording") as writer:
        for sealed in turns:
            writer.append(sealed)


def drain(path: Path) -> None:
    """Read every turn back, checked."""
    for _ in Archive(path).turns():
        pass


def plain_write(path: Path, turns: Sequence[Sealed]) -> None:
    """The baseline: payloads one after another, compressed."""
    with pa.CompressedOutputStream(str(path), "zstd") as out:
        for sealed in turns:
            out.write(len(sealed.payload).to_bytes(4, "big") + sealed.payload)


def plain_read(path: Path) -> None:
    """The baseline: payloads decoded, nothing checked."""
    with pa.CompressedInputStream(str(path), "zstd") as source:
        while size := source.read(4):
            decode(source.read(int.from_bytes(size, "big")))


def measure(recording: Path | None, messages: int, grouped: int) -> dict[str, Any]:
    """All figures of one form."""
    turns = list(sealed_turns(market(recording), messages, grouped))
    events = sum(levels_in(fact) for sealed in turns for fact in sealed.turn.facts)
    with tempfile.TemporaryDirectory() as place:
        path, plain = Path(place) / "archive", Path(place) / "plain"
        return {
            "messages_a_turn": grouped,
            "turns": len(turns),
            "rows": sum(sealed.turn.size for sealed in turns),
            "events": events,
            "write": timed(lambda: write(path, turns), events),
            "read": timed(lambda: drain(path), events),
            "baseline_write": timed(lambda: plain_write(plain, turns), events),
            "baseline_read": timed(lambda: plain_read(plain), events),
            "question": timed(lambda: query(path, QUESTION), events),
            "bytes_an_event": round(size_of(path) / events, 2),
            "baseline_bytes_an_event": round(plain.stat().st_size / events, 2),
        }


def size_of(path: Path) -> int:
    """All bytes of an archive."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def main() -> None:
    """Measure every form and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--recording", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measure(None, 100, 1)  # Libraries are loaded before the clock is read.
    forms = [measure(arguments.recording, arguments.messages, grouped) for grouped in (1, 20, 100)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"forms": forms, "peak_mib": round(peak)}
    if arguments.json:
        json.dump(figures, sys.stdout, indent=2)
        print()
        return
    for form in forms:
        print(f"{form['messages_a_turn']} messages a turn: {form['events']:,} events")
        for name in ("write", "baseline_write", "read", "baseline_read", "question"):
            print(f"  {name:<15} {form[name]['events_per_second']:>12,} events/s")
    print(f"peak {figures['peak_mib']} MiB")


if __name__ == "__main__":
    main()
