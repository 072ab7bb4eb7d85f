"""The pass held against hftbacktest, order by order, on a recording or on the synthetic day.

Compared are all orders (when, number, price, side), cancels that were in time (when, which) and how
many were sent, fills (time at the venue, order, price, lots, side, maker or taker), and position,
balance and fee. Our money is exact; hftbacktest's is a sum of floats, which may differ from it by a
millionth. What hftbacktest did can be written down, as counts, account and hashes, for a test to be
held against where it is not installed.

    python -m benchmarks.peers.equal --recording DIRECTORY --queue risk power3
    python -m benchmarks.peers.equal --recording DIRECTORY --limit 200000 --json FILE
"""

import argparse
import hashlib
import itertools
import json
import sys
from argparse import Namespace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.peers import ours, recorded, workload
from benchmarks.peers.contestants import Day
from benchmarks.peers.environments import HFTBACKTEST, Absent, cache, made
from benchmarks.peers.events import Events
from benchmarks.peers.reference import Reference, Rule, reference
from mm.events.instrument import InstrumentDefined
from mm.events.orders import Liquidity
from mm.events.units import Nanos, Side
from mm.sim.compiled_run import CompiledRun, Memory
from mm.sim.fees import fee, notional
from mm.sim.setup import begin, memory_of

MONEY_STEP: Final = Decimal("1e-6")
"""What a sum of floats may be wrong by."""
CANCELED: Final = 3
PARTS: Final = {
    "orders": ("at", "id", "price", "side"),
    "cancels": ("at", "id"),
    "fills": ("venue", "id", "price", "lots", "side", "maker"),
}
PLAYED: Final = ("exch_ts", "local_ts", "px", "qty", "kind", "side")
Table = npt.NDArray[np.int64]


def hash_of(table: Table) -> str:
    """SHA-256 of its bytes, row by row, little-endian."""
    return hashlib.sha256(table.astype("<i8").tobytes()).hexdigest()


class Done(NamedTuple):
    """What a maker did: tables with the columns of `PARTS`; `sent` counts all cancels.

    `position` is in lots, money in quote currency.
    """

    orders: Table
    cancels: Table
    fills: Table
    sent: int
    position: int
    balance: Decimal
    fee: Decimal

    def summary(self) -> dict[str, Any]:
        """Counts, account and hashes of the tables' little-endian bytes: a stored result."""
        tables = {part: getattr(self, part) for part in PARTS}
        counts = {part: len(table) for part, table in tables.items()}
        money = {name: str(getattr(self, name).quantize(MONEY_STEP)) for name in ("balance", "fee")}
        hashes = {part: hash_of(table) for part, table in tables.items()}
        return {**counts, "sent": self.sent, "position": self.position, **money, "sha256": hashes}


def columns(*given: npt.ArrayLike) -> Table:
    """Columns side by side."""
    return np.column_stack([np.asarray(column, np.int64) for column in given])


def played(events: Events, rule: Rule, day: Day) -> Done:
    """What we do with these events in hftbacktest's semantics."""
    options = Namespace(
        tick=day.tick,
        lot=day.lot,
        half=rule.half,
        skew=rule.skew,
        qty=rule.qty,
        max_position=rule.most,
        entry_ns=rule.entry_ns,
        response_ns=rule.response_ns,
        queue=rule.queue,
        rules="theirs",
        workload="maker",
    )
    rows = ours.converted([events], len(events))
    listed = ours.listed(options)
    engine = ours.engine_of(options, listed)
    memory, _ = memory_of(engine, ours.paper_of(options), [listed])
    begin(memory, Nanos(int(rows["at"][0])), ours.SECOND)
    CompiledRun(memory).feed(rows)
    return ours_of(memory, rule, listed)


def ours_of(memory: Memory, rule: Rule, listed: InstrumentDefined) -> Done:
    """What we did; a cancel was sent one round trip before we heard that it was in time."""
    clock = memory.clock[0]
    orders, fills = memory.orders[: clock["orders"]], memory.fills[: clock["fills"]]
    fills = fills[np.lexsort((fills["order"], fills["at"]))]
    canceled = orders[orders["status"] == CANCELED]
    canceled = canceled[np.lexsort((canceled["id"], canceled["ended"]))]
    balance = paid = Decimal(0)
    for sign, price, size, taker in fills[["side", "price", "size", "taker"]].tolist():
        liquidity = Liquidity.TAKER if taker else Liquidity.MAKER
        balance -= sign * notional(listed, price, size)
        paid += fee(listed, Side(sign), price, size, liquidity)[0]
    return Done(
        orders=columns(*(orders[name] for name in ("placed", "id", "price", "side"))),
        cancels=columns(canceled["ended"] - rule.round_trip_ns, canceled["id"]),
        fills=columns(
            *(fills[name] for name in ("at", "order", "price", "size", "side")),
            1 - fills["taker"].astype(np.int64),
        ),
        sent=int(clock["cancels"]),
        position=int((fills["size"] * fills["side"]).sum()),
        balance=balance,
        fee=paid,
    )


def theirs_of(told: Reference, rule: Rule, lot: str, until: int) -> Done:
    """What hftbacktest did; cancels of filled orders came too late, some are unanswered `until`."""
    late = np.isin(told.cancels["id"], told.fills["id"])
    answered = told.cancels["at"] + rule.round_trip_ns <= until
    cancels = told.cancels[answered & ~late]
    cancels = cancels[np.lexsort((cancels["id"], cancels["at"]))]
    return Done(
        orders=columns(*(told.orders[name] for name in PARTS["orders"])),
        cancels=columns(*(cancels[name] for name in PARTS["cancels"])),
        fills=columns(*(told.fills[name] for name in PARTS["fills"])),
        sent=len(told.cancels),
        position=round(told.account["position"] / float(lot)),
        balance=Decimal(told.account["balance"]),
        fee=Decimal(told.account["fee"]),
    )


def differences(mine: Done, theirs: Done) -> list[str]:
    """What is not equal, in words, the first row of a table that differs; empty if all is."""
    found = []
    for part, names in PARTS.items():
        one, other = getattr(mine, part), getattr(theirs, part)
        if len(one) != len(other):
            found.append(f"{len(one)} {part} are {len(other)} there")
        least = min(len(one), len(other))
        rows = np.flatnonzero((one[:least] != other[:least]).any(axis=1))
        if len(rows):
            first = dict(zip(names, zip(one[rows[0]], other[rows[0]], strict=True), strict=True))
            words = ", ".join(f"{name} {here} and {there}" for name, (here, there) in first.items())
            found.append(f"{part} differ from number {rows[0] + 1} on: {words}")
    bounds = {"sent": 0, "position": 0, "balance": MONEY_STEP, "fee": MONEY_STEP}
    for name, bound in bounds.items():
        here, there = getattr(mine, name), getattr(theirs, name)
        if abs(here - there) > bound:
            found += [f"{name} {here} is {there} there"]
    return found


def in_words(mine: Done) -> str:
    """Counts and account."""
    return (
        f"{len(mine.orders):,} orders, {mine.sent:,} cancels, {len(mine.fills):,} fills, "
        f"position {mine.position} lots, balance {mine.balance:.6f}, fee {mine.fee:.6f}"
    )


def hashed(events: Events) -> str:
    """SHA-256 of all that hftbacktest is told: which messages events came in is not in it."""
    return hash_of(columns(*(events[name] for name in PLAYED)))


def day_of(asked: argparse.Namespace) -> Day:
    """The recording lap after lap, or the synthetic day."""
    if asked.recording is None:
        return Day(workload.stored(cache(), asked.events), workload.TICK, workload.LOT)
    path, listed = recorded.stored(asked.recording, cache(), asked.events)
    return Day(path, str(listed.tick_size), str(listed.lot_size))


def options() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recording", type=Path, help="a directory made by `mm import`")
    parser.add_argument("--events", type=int, default=workload.COUNT, help="laps for so many")
    parser.add_argument("--limit", type=int, help="play only so many events")
    queues = tuple(ours.QUEUES)
    parser.add_argument("--queue", nargs="+", choices=queues, default=queues)
    parser.add_argument("--latency-ns", nargs="+", type=int, default=[1_000_000], help="each way")
    parser.add_argument("--python312", type=Path, help="the Python for hftbacktest")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write what it did here")
    return parser.parse_args()


def main() -> int:
    """Compare all that is asked for; 1 if anything differs, 2 without hftbacktest."""
    asked = options()
    try:
        python = made(HFTBACKTEST, cache(), asked.python312)
    except Absent as absent:
        print(absent)
        return 2
    day = day_of(asked)
    events = np.load(day.path)[: asked.limit]
    told: list[dict[str, Any]] = []
    different = 0
    for queue, latency in itertools.product(asked.queue, asked.latency_ns):
        rule = Rule(queue=queue, entry_ns=latency, response_ns=latency)
        theirs = theirs_of(
            reference(day, rule, python, asked.limit), rule, day.lot, int(events["local_ts"][-1])
        )
        mine = played(events, rule, day)
        found = differences(mine, theirs)
        different += bool(found)
        told.append({"queue": queue, "latency_ns": latency, "done": theirs.summary()})
        print(f"{queue}, {latency / 1e6:g} ms, {len(events):,} events: ", end="")
        print("; ".join(found) or f"equal: {in_words(mine)}", flush=True)
    if asked.json:
        document = {"events": len(events), "sha256": hashed(events), "runs": told}
        asked.json.write_text(json.dumps(document, indent=2) + "\n")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
