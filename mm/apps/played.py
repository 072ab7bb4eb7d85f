"""A backtest by the compiled pass: recordings and a configuration in, a finished run out.

It plays what `Backtest` would, a hundred times as fast, and leaves columns instead of a log. What
the pass cannot play is refused by name; `Backtest` plays it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median_low
from typing import Final, NamedTuple

import numpy as np

from mm import __version__
from mm.analytics.run import Columns, Payment, Run, RunInfo, fees_in_words
from mm.analytics.tiers import tiered
from mm.apps import snapshots
from mm.apps.backtest import STOP_PATIENCE
from mm.apps.config import Config
from mm.apps.session import check
from mm.apps.sessions import data_dir
from mm.errors import ConfigError
from mm.events.instrument import InstrumentDefined
from mm.events.units import MILLIS, SECONDS, Nanos
from mm.log.row_cache import merged_in, rows_of
from mm.log.row_file import RowFile
from mm.log.row_merge import MergedRows, RowSource
from mm.log.row_tables import Header
from mm.sim.asking import Asker
from mm.sim.compiled_run import CompiledRun, Memory
from mm.sim.measured import samples
from mm.sim.results import closed
from mm.sim.revisions import Revisions
from mm.sim.settings import Delay, Latency, PaperSettings
from mm.sim.settlements import Settlements, paid
from mm.sim.setup import begin, employed, hold, memory_of, unplayable
from mm.sim.stepped import Step, Stepped

POINT_EVERY: Final = Nanos(SECONDS)


class Terms(NamedTuple):
    """What may differ from the configuration: the simulated venue, and lots held at the start."""

    paper: PaperSettings
    held: Mapping[str, int] = {}
    """Signed lots by strategy, which the run begins with and does not count as its own."""
    measured: Sequence[Step] | None = None
    """Latencies that take the place of the venue's as time goes on."""
    gathers: bool = False
    """Whether rows come in turns of several messages, as a live loop forms them; `venue` is then
    when each was received, and what the venue says meanwhile is heard in the same turn."""


def rows_at(*recordings: Path) -> RowSource:
    """The rows of a recording, or of several as one market; made now if they are not there.

    Raises `ConfigError` where two recordings have an instrument of one name.
    """
    files = [rows_of(recording, data_dir() / "rows") for recording in recordings]
    if len(files) == 1:
        return files[0]
    merged = MergedRows(files)
    names = Counter(each.name for each in merged.tables.instruments)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ConfigError(
            f"{', '.join(twice)} stands in more than one of the recordings",
            where=named(recordings),
            remedy="name recordings of different instruments: one market has each of them once",
        )
    return merged


def one_file(*recordings: Path) -> RowFile:
    """The same in one file, which processes can share."""
    rows = rows_at(*recordings)
    return merged_in(data_dir() / "rows", rows) if isinstance(rows, MergedRows) else rows


def named(recordings: Sequence[Path | str]) -> str:
    """Recordings in words."""
    return ", ".join(map(str, recordings))


def refusal(config: Config, paper: PaperSettings | None = None) -> str:
    """Why the pass cannot play this; empty where it can."""
    return unplayable(config.engine, paper or config.paper.settings)


def played(
    config: Config,
    recordings: Sequence[Path],
    rows: RowSource | None = None,
    terms: Terms | None = None,
) -> Run:
    """Play whole recordings as one market; raises `ConfigError` for what the pass cannot play."""
    rows = rows_at(*recordings) if rows is None else rows
    header, instruments = rows.header, tuple(rows.tables.instruments)
    check(config.engine, instruments)
    paper, held, measured, gathers = terms or Terms(config.paper.settings)
    reason = refusal(config, paper)
    if reason:
        raise ConfigError(
            f"the compiled pass cannot play this: {reason}",
            where=named(recordings),
            remedy="play it with --plain",
        )
    memory, desks = memory_of(config.engine, paper, instruments, config.seed)
    memory.clock["gathers"] = gathers
    hold(memory, [held.get(name, 0) for name in desks])
    begin(memory, header.first, POINT_EVERY)
    asker = _asker(memory, config, instruments)
    revisions = Revisions(memory, config.engine, instruments, rows.tables.revisions, asker)
    run = CompiledRun(memory, asker, revise=revisions.take)
    funding = Settlements(rows.tables)
    fed = run if measured is None else Stepped(run, measured)
    for block in rows.blocks():
        fed.feed(block)
        funding.watch(block)
    run.end(STOP_PATIENCE)
    revisions.number()
    counts = memory.clock[0]
    fills = memory.fills[: counts["fills"]].copy()
    run_played = Run(
        info=RunInfo(
            name=" + ".join(recording.name for recording in recordings),
            recording=named(recordings),
            code_version=f"{__version__}+{snapshots.fingerprint()[:12]}",
            desks=desks,
            instruments=instruments,
            first=header.first,
            last=header.last,
            events=_rows_played(header),
            latency=_latency(paper),
            queue=_queue(paper),
            fees=fees_in_words(instruments, rows.tables.revisions),
            config=config.as_json(),
            config_hash=config.fingerprint(),
            settings=_counted(memory),
            payments=tuple(_payments(funding, memory, fills, instruments)),
            revisions=tuple(rows.tables.revisions),
        ),
        orders=memory.orders[: counts["orders"]].copy(),
        fills=fills,
        points=_points(memory, header.last, fills),
    )
    return tiered(run_played, paper.tiers, paper.volume)


def _asker(memory: Memory, config: Config, instruments: tuple[InstrumentDefined, ...]) -> Asker:
    """Who asks the strategies that are Python objects."""
    asked = [(name, strategy) for _, name, strategy in employed(config.engine, instruments)]
    return Asker(memory, instruments, asked)


def _points(memory: Memory, last: Nanos, fills: Columns) -> Columns:
    """The samples on the grid, and one of the end."""
    sampled = memory.points[: memory.clock[0]["points"]]
    return closed(sampled, max([last, *fills["heard"][-1:].tolist()]), _ends(memory))


def _ends(memory: Memory) -> list[tuple[int, int, int, int]]:
    """What each desk holds at the end, and twice the mid of the last book we saw."""
    found = []
    for desk, (net, place) in enumerate(memory.desks[["net", "instrument"]].tolist()):
        market = memory.markets[place]
        shown = market["bid_size"] > 0 and market["ask_size"] > 0
        mid2 = int(market["bid"] + market["ask"]) if shown else 0
        found.append((net, mid2, place, desk))
    return found


def _payments(
    funding: Settlements,
    memory: Memory,
    fills: Columns,
    instruments: tuple[InstrumentDefined, ...],
) -> Iterator[Payment]:
    """What each desk's position received at each settlement."""
    for each in funding.found:
        instrument = instruments[each.instrument]
        for desk in np.flatnonzero(memory.desks["instrument"] == each.instrument).tolist():
            amount = paid(each, fills, desk, instrument, memory.held[desk])
            if amount:
                yield Payment(
                    at=each.at,
                    desk=desk,
                    instrument=each.instrument,
                    asset=instrument.settle,
                    amount=amount,
                )


def _rows_played(header: Header) -> int:
    """Levels, prints and quotes: a quote is two rows and one event."""
    return sum(header.kinds[1:6])


def _latency(paper: PaperSettings) -> str:
    """How long messages take, in words; a command without a delay of its own takes `entry`."""
    if paper.measured is not None:
        there, back = (median_low(each.delays) / MILLIS for each in samples(paper.measured))
        return f"as measured ({there:g} ms to the venue, {back:g} ms back in the median)"
    own = [(name, getattr(paper, name)) for name in ("place", "amend", "cancel")]
    ways = [(_delay(paper.entry), "to the venue")]
    ways += [(_delay(delay), f"to {name}") for name, delay in own if delay is not None]
    ways += [(_delay(paper.response), "back")]
    return ", ".join(" ".join(way) for way in ways)


def _delay(delay: Delay) -> str:
    least, most = delay.least / MILLIS, delay.most / MILLIS
    words = f"{least:g} ms" if least == most else f"{least:g} to {most:g} ms"
    return words if isinstance(delay, Latency) else f"{words} (sampled)"


def _queue(paper: PaperSettings) -> str:
    model = (
        paper.queue
        if not paper.queue.startswith("power")
        else f"{paper.queue} {paper.queue_power:g}"
    )
    matching, takers = f"{paper.matching} matching", paper.arrivals
    if paper.matching == "poisson":
        matching += f" ({takers.rate:g} takers a second, decay {takers.decay:g})"
    return f"{model}, {matching}, market {paper.market}"


def _counted(memory: Memory) -> dict[str, str]:
    counts = memory.clock[0]
    return {name: f"{int(counts[name]):,}" for name in ("turns", "cancels", "refused")}
