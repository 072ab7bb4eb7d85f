"""Recordings as events for the peers: what is told, what is swept, and laps that join."""

from pathlib import Path

import numpy as np

from benchmarks import event_rows
from benchmarks.peers import workload
from benchmarks.peers.events import DEPTH, TRADE, Events
from benchmarks.peers.recorded import SECOND_NS, events_of, looped, standing
from mm.log.rows import ROW, Flag, Kind, Rows

END = Flag.EVENT | Flag.TURN


def rows(*told: tuple[int, Kind, int, int, int]) -> Rows:
    """Rows from time, kind, price, size and flags; the venue is a millisecond earlier."""
    made = np.zeros(len(told), ROW)
    for place, (at, kind, price, size, flags) in enumerate(told):
        made[place]["at"], made[place]["venue"] = at, at - 1_000_000
        made[place]["kind"], made[place]["flags"] = kind, flags
        made[place]["price"], made[place]["size"] = price, size
    return made


def snapshot(at: int, bid: int, ask: int) -> list[tuple[int, Kind, int, int, int]]:
    """A whole new book, two levels a side."""
    levels = [(Kind.BID, bid), (Kind.BID, bid - 3), (Kind.ASK, ask), (Kind.ASK, ask + 5)]
    told = [(at, kind, price, 7, Flag(0)) for kind, price in levels]
    return [(at, Kind.CLEAR, 0, 0, Flag(0)), *told, (at, Kind.SETTLED, 0, 0, END)]


def listed(events: Events) -> list[tuple[int, int, int, int, int, int]]:
    """Kind, side, price, size, message and whether it ends the message."""
    names = ("kind", "side", "px", "qty", "msg", "last")
    return list(zip(*(events[name].tolist() for name in names), strict=True))


RECORDING = rows(
    (5, Kind.UP, 0, 0, END),
    (6, Kind.BOUGHT, 103, 2, END),
    *snapshot(7, 100, 103),
    (8, Kind.QUOTE_BID, 101, 1, Flag(0)),
    (8, Kind.QUOTE_ASK, 103, 1, END),
    (9, Kind.BID, 100, 0, Flag(0)),
    (9, Kind.ASK, 102, 4, Flag(0)),
    (9, Kind.SETTLED, 0, 0, END),
    (10, Kind.SOLD, 97, 3, END),
)


def test_levels_and_prints_are_told() -> None:
    """Quotes and marks of the log's own are left out; messages stay what they were."""
    assert listed(events_of(RECORDING)) == [
        (TRADE, 1, 103, 2, 0, 1),
        (DEPTH, 1, 100, 7, 1, 0),
        (DEPTH, 1, 97, 7, 1, 0),
        (DEPTH, -1, 103, 7, 1, 0),
        (DEPTH, -1, 108, 7, 1, 1),
        (DEPTH, 1, 100, 0, 2, 0),
        (DEPTH, -1, 102, 4, 2, 1),
        (TRADE, -1, 97, 3, 3, 1),
    ]


def test_times_are_the_rows_own() -> None:
    """Each event keeps the venue's time and its arrival."""
    events = events_of(RECORDING)
    assert events["local_ts"].tolist() == [6, 7, 7, 7, 7, 9, 9, 10]
    assert (events["local_ts"] - events["exch_ts"] == 1_000_000).all()


def test_a_new_snapshot_deletes_every_known_level() -> None:
    """The old levels go, the farthest first, in the message of the new ones."""
    again = events_of(np.concatenate([RECORDING, rows(*snapshot(20, 104, 105))]))
    assert listed(again[8:]) == [
        (DEPTH, -1, 108, 0, 4, 0),
        (DEPTH, -1, 103, 0, 4, 0),
        (DEPTH, -1, 102, 0, 4, 0),
        (DEPTH, 1, 97, 0, 4, 0),
        (DEPTH, 1, 104, 7, 4, 0),
        (DEPTH, 1, 101, 7, 4, 0),
        (DEPTH, -1, 105, 7, 4, 0),
        (DEPTH, -1, 110, 7, 4, 1),
    ]


def test_laps_join() -> None:
    """A lap starts from an empty book, whole seconds later, and ends as the first one did."""
    once = events_of(RECORDING)
    thrice = looped(once, 3)
    lap = len(once) + len(standing(once))
    assert len(thrice) == len(once) + 2 * lap
    assert listed(thrice[: len(once)]) == listed(once)
    assert (np.diff(thrice["local_ts"]) >= 0).all()
    assert (np.diff(thrice["exch_ts"]) >= 0).all()
    shift = thrice[-lap:][len(standing(once)) :]["local_ts"] - once["local_ts"]
    assert set(shift.tolist()) == {2 * SECOND_NS}
    ended = [standing(part)[["px", "qty"]].tolist() for part in (once, thrice)]
    assert ended[0] == ended[1]
    sweep = thrice[len(once) : len(once) + len(standing(once))]
    assert (sweep["qty"] == 0).all()
    assert not len(standing(np.concatenate([once, sweep])))


def test_messages_of_laps_are_counted_through() -> None:
    """Messages are numbered without a gap, and each has one end."""
    thrice = looped(events_of(RECORDING), 3)
    assert set(np.diff(thrice["msg"].astype(np.int64)).tolist()) == {0, 1}
    assert int(thrice["last"].sum()) == int(thrice["msg"][-1]) + 1


def test_the_synthetic_day_survives_the_way_through_rows(tmp_path: Path) -> None:
    """As rows and back again, the events of the workload are the same."""
    events = workload.generate(5_000)
    np.save(tmp_path / "events.npy", events)
    there = np.concatenate(list(event_rows.blocks_of(tmp_path / "events.npy")))
    back = events_of(there)
    for name in ("exch_ts", "local_ts", "px", "qty", "kind", "side"):
        assert (back[name] == events[name]).all()
