"""Profit computed twice, by the engine's fold and by SQL: they agree to the last unit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from mm.analytics.session import ask, connect
from mm.events.instrument import ContractKind
from mm.events.orders import OrderFilled
from mm.events.turn import records
from mm.events.units import InstrumentId
from mm.log.archive import Archive
from mm.projections.ledger import Ledger
from mm.projections.state import State
from tests.analytics.world import archived, trading

TURNS: Final = 400
NEAR: Final = 1e-9


@pytest.fixture(scope="module", params=[1, 2])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of random traders in a linear, a spot and an inverse contract."""
    return archived(tmp_path_factory.mktemp("money") / "a", trading(request.param, TURNS))


def states(path: Path) -> Iterator[tuple[int, Any, State]]:
    """The engine's state after each event."""
    state = State()
    for sealed in Archive(path).turns():
        for record in records(sealed.turn):
            state.hear((record.event,), record.number, record.at)
            yield record.number, record.event, state


def rows(path: Path, sql: str) -> list[dict[str, Any]]:
    """The answer to a question."""
    connection = connect(path)
    found: list[dict[str, Any]] = ask(connection, sql).to_pylist()
    connection.close()
    return found


def key_of(row: dict[str, Any]) -> tuple[str, InstrumentId, str]:
    """The ledger's key of a row's account."""
    return row["wallet"], InstrumentId(row["instrument"]), row["strategy"]


def test_positions_are_those_of_the_ledger(path: Path) -> None:
    """After each fill: net, cost and realised profit, exactly; average entry as a number."""
    found = {row["seq"]: row for row in rows(path, "SELECT * EXCLUDE time FROM position")}
    seen: set[str] = set()
    turned = 0
    for seq, event, state in states(path):
        if not isinstance(event, OrderFilled) or event.fill_id in seen:
            continue
        seen.add(event.fill_id)
        row = found.pop(seq)
        position = state.ledger.accounts[key_of(row)].position
        exact = (row["net_lots"], row["cost_units"], row["realised_units"])
        assert exact == (position.net, position.cost, position.realised)
        defined = state.ledger.instruments[event.instrument]
        if position.net:
            entry = position.entry(defined.kind) * defined.tick_size
            assert row["entry"] == pytest.approx(float(entry), rel=1e-12)
        else:
            assert row["entry"] is None
        turned += defined.kind is ContractKind.INVERSE
    assert not found
    assert turned > TURNS / 10


def test_equity_is_that_of_the_ledger(path: Path) -> None:
    """At each point of each account: realised, unrealised, fees, funding and total."""
    found = rows(path, "SELECT * EXCLUDE time FROM equity")
    by_seq: dict[int, list[dict[str, Any]]] = {}
    for row in found:
        by_seq.setdefault(row["seq"], []).append(row)
    assert {row["strategy"] for row in found} >= {"maker", "taker"}
    for seq, _, state in states(path):
        for row in by_seq.pop(seq, []):
            _compare(row, state.ledger, _mid(state, row["instrument"]))
    assert not by_seq


def _mid(state: State, instrument: int) -> Decimal | None:
    book = state.books.of(InstrumentId(instrument))
    tick = state.ledger.instruments[InstrumentId(instrument)].tick_size
    return Decimal(book.bid + book.ask) / 2 * tick if book.two_sided else None


def _compare(row: dict[str, Any], ledger: Ledger, mid: Decimal | None) -> None:
    assert mid is not None
    pnl = ledger.pnl(key_of(row), mid)
    wanted = [pnl.realised, pnl.unrealised, pnl.fees, pnl.funding, pnl.total]
    names = ("realised", "unrealised", "fees", "funding", "total")
    assert [row[name] for name in names] == pytest.approx(
        [float(each) for each in wanted], abs=NEAR
    )
    assert row["mid"] == float(mid)
    assert row["total_at_mid"] == pytest.approx(
        row["realised"] + row["unrealised_at_mid"] - row["fees"] + row["funding"], abs=NEAR
    )
    assert row["unrealised_at_mid_units"] == _at_mid(row, ledger, mid)


def _at_mid(row: dict[str, Any], ledger: Ledger, mid: Decimal) -> int:
    """The exact integer; an inverse contract rounds its worth to the nearest unit."""
    defined, position = ledger.instruments[row["instrument"]], ledger.accounts[key_of(row)].position
    halves = int(2 * mid / defined.tick_size)
    if defined.kind is not ContractKind.INVERSE:
        return halves * position.net * 10**9 // 2 - (
            position.cost if position.net > 0 else -position.cost
        )
    worth = (4 * abs(position.net) * 10**18 + halves) // (2 * halves)
    gain = position.cost - worth
    return gain if position.net > 0 else -gain


def test_totals_balance_without_the_average(path: Path) -> None:
    """Cash that flowed plus what is held is realised plus unrealised: linear and spot, exactly."""
    sql = """
        WITH cash AS (
            SELECT wallet, instrument, strategy,
                sum(-side_sign * price_ticks::HUGEINT * size_lots * 1000000000) AS flowed
            FROM fills GROUP BY ALL
        ), last AS (
            FROM equity WHERE instrument < 2
            QUALIFY seq = max(seq) OVER (PARTITION BY wallet, instrument, strategy)
        ), tick AS (
            FROM top QUALIFY seq = max(seq) OVER (PARTITION BY instrument)
        )
        SELECT flowed + (bid_ticks + ask_ticks)::HUGEINT * net_lots * 500000000 AS balance,
            realised_units + unrealised_at_mid_units AS profit
        FROM last
        JOIN cash USING (wallet, instrument, strategy)
        JOIN tick USING (instrument)
    """
    found = rows(path, sql)
    assert len(found) >= 8
    assert all(row["balance"] == row["profit"] for row in found)


def test_a_fill_told_twice_counts_once(path: Path) -> None:
    """The log has the repetition, the fills have it once."""
    (counts,) = rows(
        path,
        """SELECT (SELECT count(*) FROM order_filled) AS told,
            (SELECT count(DISTINCT fill_id) FROM order_filled) AS made,
            (SELECT count(*) FROM fills) AS fills""",
    )
    assert counts["told"] > counts["made"] == counts["fills"]
