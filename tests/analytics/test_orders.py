"""Orders and own quotes of a real session, compared with the engine's state turn by turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from mm.analytics.session import ask, connect, query
from mm.engine.core import Engine
from mm.events.orders import AmendOrder, CancelAll, OrderAmended
from mm.events.session import EngineFaulted, TradingHalted
from mm.events.turn import Turn
from mm.events.units import Lots, Seq, Ticks
from mm.log.archive import Archive, ArchiveWriter
from mm.log.chain import seal
from mm.projections.orders import Order
from tests.analytics.world import archived
from tests.build import (
    BTC,
    BUY,
    SELL,
    START,
    acked,
    cancel,
    canceled,
    filled,
    instrument,
    placed,
    quote,
    rejected,
)

REPLAY: Final = Path(__file__).parents[2] / "replays" / "synthetic-maker"


@pytest.fixture(scope="module")
def session() -> Path:
    """The session that is shipped."""
    if not REPLAY.is_dir():
        pytest.skip("no session is shipped")
    return REPLAY


def states(path: Path) -> Iterator[tuple[Turn, Engine]]:
    """The engine after each turn."""
    engine = Engine()
    for sealed in Archive(path).turns():
        engine.fold(sealed.turn)
        yield sealed.turn, engine


def test_orders_are_those_of_the_engine(session: Path) -> None:
    """Every order ever placed: status, price, size, filled, when it was placed and closed."""
    known: dict[str, Order] = {}
    for turn, engine in states(session):
        spoken = [getattr(event, "order_id", None) for event in (*turn.facts, *turn.decisions)]
        found = [engine.state.orders.get(order_id) for order_id in spoken if order_id]
        known |= {order.order_id: order for order in found if order is not None}
    sql = "SELECT * EXCLUDE (placed_at, acked_at, closed_at) FROM orders"
    answer = query(session, sql).to_pylist()
    assert len(answer) == len(known) > 100
    for row in answer:
        order = known[row["order_id"]]
        said = (row["status"], row["price_ticks"], row["size_lots"], row["filled_lots"])
        assert said == (order.status, order.price, order.size, order.filled)
        assert (row["placed_ns"], row["side_sign"]) == (order.placed, order.side)
        assert (row["closed_ns"] is not None) == order.closed
        assert row["venue_order_id"] in (order.venue_order_id, None)


def test_own_quotes_are_what_rests(session: Path) -> None:
    """After every turn that changed them: best own bid and ask among all that rests."""
    sql = "SELECT turn, bid_ticks, ask_ticks, bids, asks FROM quotes_own"
    changes = {row.pop("turn"): tuple(row.values()) for row in query(session, sql).to_pylist()}
    seen = (None, None, 0, 0)
    for turn, engine in states(session):
        seen = changes.pop(turn.number, seen)
        resting = [order for order in engine.state.orders.live if order.venue_order_id]
        bids = [order.price for order in resting if order.side is BUY]
        asks = [order.price for order in resting if order.side is SELL]
        best = (max(bids, default=None), min(asks, default=None), len(bids), len(asks))
        assert seen == best, f"after turn {turn.number}"
    assert not changes


def test_the_session_adds_up(session: Path) -> None:
    """Fills, fees and the last equity are those of the engine's ledger."""
    *_, (_, engine) = states(session)
    (account,) = engine.state.ledger.accounts.values()
    (row,) = query(
        session,
        """
        SELECT (SELECT count(*) FROM fills) AS fills,
            (SELECT sum(fee_exact::DECIMAL(38, 18)) FROM fills) AS fees,
            last(realised_units ORDER BY seq) AS realised, last(net_lots ORDER BY seq) AS net
        FROM equity
        """,
    ).to_pylist()
    assert (row["fills"], row["fees"]) == (account.fills, sum(account.fees.values()))
    assert (row["realised"], row["net"]) == (account.position.realised, account.position.net)


@pytest.mark.parametrize("hop", ["feed: received to turn", "place: sent to acked"])
def test_latencies_are_measured(session: Path, hop: str) -> None:
    """Each hop has its measurements."""
    sql = "SELECT hop, count(*) AS n, min(took_ns) AS least FROM latency GROUP BY hop"
    (row,) = [row for row in query(session, sql).to_pylist() if row["hop"] == hop]
    assert row["n"] > 100
    assert row["least"] >= 0


def orders(tmp_path: Path, *turns: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """The orders of a small session, by their ids."""
    path = archived(tmp_path / "a", [[instrument(), quote(99, 101)], *turns])
    sql = "SELECT * EXCLUDE (placed_at, acked_at, closed_at) FROM orders"
    return {row["order_id"]: row for row in query(path, sql).to_pylist()}


def test_an_order_tells_its_story(tmp_path: Path) -> None:
    """Placed, acked, partly filled, canceled; rejected with its reason; still pending."""
    found = orders(
        tmp_path,
        [placed("a", BUY, 95, 10), placed("b", SELL, 105, 5), placed("c", SELL, 106, 5)],
        [acked("a"), rejected("b")],
        [filled("a", BUY, 95, 4)],
        [cancel("a")],
        [canceled("a")],
    )
    a, b, c = (found[name] for name in "abc")
    assert (a["status"], a["filled"], a["filled_price"]) == ("canceled", 0.004, 9.5)
    assert (a["closed_reason"], a["closed_ns"] - a["placed_ns"]) == ("requested", 4 * 400_000_000)
    assert (b["status"], b["closed_reason"], b["acked_ns"]) == ("rejected", "other", None)
    assert (c["status"], c["closed_ns"], c["closed_reason"]) == ("pending_new", None, None)


def test_an_amended_order_rests_where_it_was_moved(tmp_path: Path) -> None:
    """Price and size are the confirmed ones, and own quotes move with them."""
    amend = AmendOrder(
        order_id=placed("a", BUY, 1, 1).order_id,
        instrument=BTC,
        price=Ticks(97),
        size=Lots(7),
        cause=Seq(1),
        reason="requote",
    )
    amended = OrderAmended(
        order_id=amend.order_id,
        instrument=BTC,
        price=Ticks(97),
        size=Lots(7),
        received=START,
        venue_time=START,
    )
    turns: list[list[Any]] = [[placed("a", BUY, 95, 10)], [acked("a")], [amend], [amended]]
    assert orders(tmp_path, *turns)["a"]["price_ticks"] == 97
    sql = "SELECT bid, bids_size, ask FROM quotes_own ORDER BY seq"
    quotes = query(tmp_path / "a", sql).to_pylist()
    assert quotes == [
        {"bid": 9.5, "bids_size": 0.01, "ask": None},
        {"bid": 9.7, "bids_size": 0.007, "ask": None},
    ]


def test_cancel_all_is_asked_of_every_live_order(tmp_path: Path) -> None:
    """What was open waits for its cancel; what was closed stays closed."""
    everything = CancelAll(instrument=BTC, cause=Seq(1), reason="stop")
    found = orders(
        tmp_path,
        [placed("a", BUY, 95, 10), placed("b", BUY, 94, 5)],
        [acked("a"), acked("b")],
        [filled("b", BUY, 94, 5)],
        [everything],
    )
    assert {name: row["status"] for name, row in found.items()} == {
        "a": "pending_cancel",
        "b": "filled",
    }


def test_a_faulted_session_can_be_asked(tmp_path: Path) -> None:
    """The facts that our own code choked on do not keep anybody from asking about them."""
    impossible = filled("a", BUY, 0, 4)  # Nobody sells for nothing.
    fault = EngineFaulted(error="AssertionError", where="mm.x:1", cause=Seq(5))
    halt = TradingHalted(who="engine", reason="fault", cause=Seq(5))
    path = archived(
        tmp_path / "a",
        [[instrument(), quote(99, 101)], [placed("a", BUY, 95, 10)], [acked("a")]],
    )
    _append(path, (impossible,), (fault, halt))
    connection = connect(path)
    (row,) = ask(connection, "SELECT order_id, status FROM orders").to_pylist()
    assert row["order_id"] == "a"
    assert ask(connection, "SELECT error FROM engine_faulted").num_rows == 1


def _append(path: Path, facts: Any, decisions: Any) -> None:
    with ArchiveWriter(path) as writer:
        writer.append(seal(writer.head, writer.head.at, facts, decisions))
