"""hftbacktest as a contestant: one run in a process of its own, one line of JSON.

Workloads: `maker` looks every 100 ms, `events` is called back on all market data, `none` only plays
to the end. Its exchange model is NoPartialFillExchange. What is compiled is compiled on a scrap of
the data first, outside the phase that is timed; a cold process pays for it all the same. With
`--dump` the maker leaves all orders, cancels and fills, and the final account, in an .npz file,
against which another simulator can be held.

    python -m benchmarks.peers.hft maker --events FILE --queue risk --dump FILE
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()

import numpy as np  # noqa: E402 - the imports are a phase of their own.
from hftbacktest import (  # noqa: E402
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import (  # noqa: E402
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    event_dtype,
)

from benchmarks.peers import hft_strategies as strategies  # noqa: E402
from benchmarks.peers.events import DEPTH, STEP_NS, Events, first_step  # noqa: E402
from benchmarks.peers.hft_strategies import Backtest, Counts, Journal  # noqa: E402
from benchmarks.peers.measure import Outcome, Stopwatch, arguments, report  # noqa: E402

IMPORTED = time.perf_counter() - STARTED
MAKER_FEE, TAKER_FEE = -0.00005, 0.0004
SCRAP = 300
MARGIN_TICKS = 1_000
"""Room of the array book beyond the prices in the data."""


def converted(events: Events, options: argparse.Namespace) -> np.ndarray:
    """The events in the library's own 64 bytes."""
    data = np.zeros(len(events), event_dtype)
    kind = np.where(events["kind"] == DEPTH, DEPTH_EVENT, TRADE_EVENT)
    side = np.where(events["side"] == 1, BUY_EVENT, SELL_EVENT)
    data["ev"] = (kind | side | EXCH_EVENT | LOCAL_EVENT).astype(np.uint64)
    data["exch_ts"], data["local_ts"] = events["exch_ts"], events["local_ts"]
    data["px"], data["qty"] = events["px"] * options.tick, events["qty"] * options.lot
    return data


def asset(data: np.ndarray, options: argparse.Namespace) -> BacktestAsset:
    """The market as configured; the caller keeps `data`, of which only a pointer is taken."""
    made = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(options.entry_ns, options.response_ns)
        .tick_size(options.tick)
        .lot_size(options.lot)
        .trading_value_fee_model(MAKER_FEE, TAKER_FEE)
        .last_trades_capacity(0)
        .no_partial_fill_exchange()
    )
    name, n = options.queue, options.power
    return {
        "risk": made.risk_adverse_queue_model,
        "power": lambda: made.power_prob_queue_model(n),
        "power2": lambda: made.power_prob_queue_model2(n),
        "power3": lambda: made.power_prob_queue_model3(n),
        "log": made.log_prob_queue_model,
        "log2": made.log_prob_queue_model2,
    }[name]()


def opened(data: np.ndarray, options: argparse.Namespace) -> Backtest:
    """A backtest at the beginning of `data`."""
    made = asset(data, options)
    if options.depth == "hash":
        return HashMapMarketDepthBacktest([made])
    low, high = float(data["px"].min()), float(data["px"].max())
    margin = MARGIN_TICKS * options.tick
    return ROIVectorMarketDepthBacktest([made.roi_lb(low - margin).roi_ub(high + margin)])


def terms(events: Events, options: argparse.Namespace) -> strategies.Terms:
    """How the maker quotes; its first step is on the grid of absolute time."""
    return strategies.Terms(
        wait=first_step(events) - int(events["exch_ts"][0]),
        step=STEP_NS,
        half=options.half,
        skew=options.skew,
        qty=options.qty,
        most=options.max_position,
        lot=options.lot,
    )


def play(
    hbt: Backtest, events: Events, options: argparse.Namespace, kept: Journal | None
) -> Counts:
    """One run to the end of the data; what it counted."""
    counts = np.zeros(6, np.int64)
    if options.workload == "maker":
        pad = strategies.Pad(np.zeros((2, 2), np.int64), counts, kept)
        strategies.maker(hbt, terms(events, options), pad)
    elif options.workload == "none":
        hbt.elapse(strategies.FOREVER_NS)
    else:
        call: Any = strategies.every_event_compiled
        if options.interpreted:
            call = strategies.every_event
        call(hbt, options.requote, options.qty * options.lot, counts)
    assert counts[strategies.CODE] in (0, 1), f"stopped with code {counts[strategies.CODE]}"
    return counts


def room(events: Events, options: argparse.Namespace) -> Journal | None:
    """A journal for the whole run, if one is asked for."""
    if options.dump is None:
        return None
    steps = (int(events["local_ts"][-1]) - int(events["local_ts"][0])) // STEP_NS
    return strategies.journal(steps + 2)


def outcome(hbt: Backtest, counts: Counts, options: argparse.Namespace) -> Outcome:
    """The final account."""
    state = hbt.state_values(0)
    return Outcome(
        steps=int(counts[strategies.STEPS]),
        orders=int(counts[strategies.ORDERS]),
        cancels=int(counts[strategies.CANCELS]),
        fills=int(state.num_trades),
        position=round(float(state.position) / options.lot) * options.lot,
        balance=float(state.balance),
        fee=float(state.fee),
    )


def dump(kept: Journal, counts: Counts, result: Outcome, asked: argparse.Namespace) -> None:
    """Everything the run did, fills in the venue's order, as arrays; `account` is JSON."""
    fills = kept.fills[: counts[strategies.FILLS]]
    assert len(fills) == result.fills, f"heard of {len(fills)} fills of {result.fills}"
    np.savez_compressed(
        asked.dump,
        orders=kept.orders[: result.orders],
        cancels=kept.cancels[: result.cancels],
        fills=fills[np.lexsort((fills["id"], fills["venue"]))],
        account=json.dumps(vars(result)),
        settings=json.dumps({name: str(value) for name, value in vars(asked).items()}),
    )


def options() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = arguments(__doc__, ("maker", "events", "none"))
    parser.add_argument("--depth", choices=("hash", "array"), default="hash")
    queues = ("risk", "power", "power2", "power3", "log", "log2")
    parser.add_argument("--queue", choices=queues, default="power3")
    parser.add_argument("--power", type=float, default=3.0, help="exponent of the power models")
    parser.add_argument("--interpreted", action="store_true", help="call back plain Python")
    parser.add_argument("--dump", type=Path, help="write what the maker did to this .npz file")
    asked = parser.parse_args()
    asked.tick, asked.lot = float(asked.tick), float(asked.lot)
    return asked


def main() -> None:
    """Read, convert, compile, play, report."""
    asked = options()
    watch = Stopwatch(wall={"import": IMPORTED})
    with watch("read"):
        events = np.load(asked.events)[: asked.limit]
    with watch("convert"):
        data, kept = converted(events, asked), room(events, asked)
    with watch("compile"):
        scrap = data[:SCRAP].copy()
        hbt = opened(scrap, asked)
        play(hbt, events[:SCRAP], asked, room(events[:SCRAP], asked))
        hbt.close()
    with watch("build"):
        hbt = opened(data, asked)
    with watch("run"):
        counts = play(hbt, events, asked, kept)
    result = outcome(hbt, counts, asked)
    hbt.close()
    if kept is not None:
        dump(kept, counts, result, asked)
    report(len(events), watch, result, ("hftbacktest", "numba", "numpy"))


if __name__ == "__main__":
    main()
