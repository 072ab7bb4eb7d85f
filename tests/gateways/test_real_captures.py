"""The recorded files come in whole: no gap, no crossed book, and the totals of another count."""

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mm.events.instrument import InstrumentDefined
from mm.gateways.capture_import import CaptureImport
from mm.gateways.definitions import definitions
from mm.gateways.recorder import Recorder
from mm.gateways.totals import Problems
from tests.gateways.lines import SPOT_2024, USDM_2023, USDM_2024, recording

FILES = (USDM_2024, SPOT_2024, USDM_2023)


class Counting:
    """A sink that only counts."""

    def __init__(self) -> None:
        """Start at zero."""
        self.turns = 0

    def append(self, _sealed: Any) -> None:
        """Count one."""
        self.turns += 1


def counted(path: Path) -> dict[str, Any]:
    """The figures of a capture, counted from its JSON with decimals and nothing of ours."""
    rows: Counter[str] = Counter()
    size = notional = Decimal(0)
    snapshot: dict[str, Any] = {}
    diffs: list[dict[str, Any]] = []
    tickers: dict[int, list[list[Decimal]]] = {}
    funding, last = set(), 0
    others: Counter[str] = Counter()
    with gzip.open(path, "rt") as file:
        for text in file:
            _, _, body = text.partition(" ")
            frame = json.loads(body)
            if "stream" not in frame:
                snapshot = frame
                continue
            kind, data = frame["stream"].split("@")[1], frame["data"]
            rows[kind] += 1
            if kind == "depth":
                diffs.append(data)
            elif kind == "bookTicker":
                tickers.setdefault(data["u"], []).append(
                    [Decimal(data[name]) for name in ("b", "B", "a", "A")]
                )
            elif kind == "markPrice":
                funding.add((data["r"], data["T"]))
            elif data.get("X", "MARKET") == "MARKET":
                rows["market"] += 1
                size += Decimal(data["q"])
                notional += Decimal(data["p"]) * Decimal(data["q"])
            else:
                others[data["X"]] += 1
    book = [{Decimal(p): Decimal(q) for p, q in snapshot[side]} for side in ("bids", "asks")]
    fresh = [data for data in diffs if data["u"] >= snapshot["lastUpdateId"] + ("pu" not in data)]
    compared = 0
    for data in fresh:
        for levels, changes in zip(book, (data["b"], data["a"]), strict=True):
            levels.update((Decimal(p), Decimal(q)) for p, q in changes)
            for p, q in changes:
                if not Decimal(q):
                    del levels[Decimal(p)]
        last = data["u"]
        if last in tickers:
            bid, ask = max(book[0]), min(book[1])
            compared += len(tickers[last])
            assert all(each == [bid, book[0][bid], ask, book[1][ask]] for each in tickers[last])
    return {
        "messages": sum(rows[name] for name in ("depth", "bookTicker", "trade", "markPrice")) + 1,
        "diffs_applied": len(fresh),
        "diffs_stale": len(diffs) - len(fresh),
        "level_updates": sum(len(data["b"]) + len(data["a"]) for data in fresh),
        "quotes": rows["bookTicker"],
        "trades": rows["market"],
        "trades_not_market": dict(others),
        "marks": rows["markPrice"],
        "funding_rates": len(funding),
        "trade_size_sum": size,
        "trade_notional_sum": notional,
        "final_update_id": last,
        "best_bid": max(book[0]),
        "best_ask": min(book[1]),
        "best_bid_size": book[0][max(book[0])],
        "best_ask_size": book[1][min(book[1])],
        "ticker_comparisons": compared,
    }


def imported(*names: str) -> tuple[CaptureImport, Recorder, Counting]:
    """Import recorded files into a sink that counts."""
    sink = Counting()
    recorder = Recorder(sink)
    source = CaptureImport([recording(name) for name in names], definitions([]), Problems())
    source.run(recorder)
    return source, recorder, sink


@pytest.mark.parametrize("name", FILES)
def test_totals_equal_an_independent_count(name: str) -> None:
    """Counts, sums, final book and comparisons are those of a count that shares no code."""
    source, _, _ = imported(name)
    (totals,) = source.report()
    clean = ("gaps", "resyncs", "crossed_books", "ticker_mismatches", "snapshots_refused")
    assert {key: totals[key] for key in clean} == dict.fromkeys(clean, 0)
    assert (source.problems.count, totals["diffs_unjoined"], totals["book_valid"]) == (0, 0, True)
    wanted = counted(recording(name))
    assert {key: totals[key] for key in wanted} == wanted


def test_two_files_are_one_recording() -> None:
    """Perpetual and spot of the same minutes merge without losing a message."""
    source, recorder, sink = imported(USDM_2024, SPOT_2024)
    usdm, spot = source.report()
    assert (usdm["messages"], spot["messages"]) == (93_954, 99_574)
    assert (usdm["gaps"], spot["gaps"]) == (0, 0)
    assert sink.turns == recorder.head.number > 193_000
    assert [type(each) for each in source.defined] == [InstrumentDefined] * 2
