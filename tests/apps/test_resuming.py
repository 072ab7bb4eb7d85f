"""What one session leaves in the paper account, the next finds there: after an end, after a cut."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from mm.apps.config import build
from mm.apps.inbox import whole
from mm.apps.session import Session, check_known, recover
from mm.apps.wiring import left_behind, wired
from mm.engine.core import Engine
from mm.errors import SessionError
from mm.events.account import AccountReconciled, BalanceReported, FundingPaid, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import OrderFilled
from mm.events.session import NoteTaken, SessionEnded, SessionStarted
from mm.events.turn import TURN_FACTS_MAX
from mm.events.units import Nanos
from mm.gateways.paper import PaperGateway
from mm.log.memory import MemoryLog
from mm.projections.ledger import Ledger
from mm.sim.account import Account
from mm.sim.settings import PaperSettings
from tests.apps.stage import Stage, plain
from tests.build import BUY, START, acked, filled, instrument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mm.apps.config import Config
    from mm.events.vocabulary import Fact
    from mm.log.chain import Sealed

FILLS: Final = 12
TINY: Final = Decimal("1e-12")
"""The ledger's cost of a position is rounded at other places than the venue's own."""
OPENED_WITH: Final = {"USDT": Decimal(1_000_000), "BTC": Decimal(2)}


def configured(kind: str) -> Config:
    """One maker on a market of this kind, far enough away that fills are under way at any time."""
    settings = plain(order_size=0.2, half_spread_bps=0.1)
    settings["feed"]["market"] = {"kind": kind, "funding_interval": "1s"}
    money = {asset: str(amount) for asset, amount in OPENED_WITH.items()}
    settings["paper"] = {"response": ["1ms", "40ms"], "balances": money}
    return build(settings, {}, {}, where="test")


async def played(config: Config, log: MemoryLog) -> list[Sealed]:
    """One session on what the log has, ended in order after some fills; returns its turns."""
    engine, _ = await recover(log)
    before = engine.turns
    fills = 0

    def look(sealed: Sealed, _timing: Any) -> None:
        nonlocal fills
        fills += sum(isinstance(fact, OrderFilled) for fact in sealed.turn.facts)
        if fills >= FILLS:
            session.runner.stop("test", "enough")

    async with wired(config, engine, Nanos(time.time_ns())) as wiring:
        session = Session(config, log, engine, wiring)
        session.runner.on_turn.append(look)
        await session.run("test")
    return [sealed async for sealed in log.read(before)]


async def cut(turns: Iterable[Sealed]) -> MemoryLog:
    """A log with these turns and no more."""
    log = MemoryLog()
    for sealed in turns:
        await log.append(sealed)
    return log


def facts(turns: Iterable[Sealed]) -> list[Any]:
    """Every fact, in order."""
    return [fact for sealed in turns for fact in sealed.turn.facts]


def found(told: list[Any]) -> tuple[dict[str, Decimal], dict[int, int]]:
    """What a session is told when it begins: totals by asset, positions by instrument."""
    told = told[: [isinstance(each, AccountReconciled) for each in told].index(True)]
    balances = [each for each in told if isinstance(each, BalanceReported)]
    positions = [each for each in told if isinstance(each, PositionReported)]
    return (
        {each.asset: each.free + each.locked for each in balances},
        {each.instrument: each.size for each in positions},
    )


def added_up(told: list[Any]) -> tuple[dict[str, Decimal], dict[int, int]]:
    """What opening balances and every fill and payment on the log come to."""
    account = Account(OPENED_WITH)
    defined = next(each for each in told if isinstance(each, InstrumentDefined))
    for fact in told:
        if isinstance(fact, OrderFilled):
            account.book(fact, defined)
        elif isinstance(fact, FundingPaid):
            account.fund(fact)
    totals = {asset: account.total(asset) for asset in OPENED_WITH}
    return totals, {defined.instrument: account.net(defined.instrument)}


@pytest.mark.parametrize("kind", ["linear", "spot"])
async def test_a_session_begins_with_what_the_last_one_ended_with(kind: str) -> None:
    """Ended in order, three times over: balances and position are those of all fills so far."""
    config, log = configured(kind), MemoryLog()
    before: list[Any] = []
    closed = OPENED_WITH
    for _ in range(3):
        told = facts(await played(config, log))
        assert isinstance(told[-1], SessionEnded)
        totals, positions = found(told)
        assert totals == closed
        expected, net = added_up([*before, *told[:3]])
        assert positions == net
        assert all(abs(totals[each] - expected[each]) < TINY for each in expected)
        closed = last_totals(told)
        assert closed != totals
        before += told
    assert any(isinstance(fact, FundingPaid) for fact in before) == (kind == "linear")


def last_totals(told: list[Any]) -> dict[str, Decimal]:
    """The last balance told of each asset."""
    return {
        each.asset: each.free + each.locked for each in told if isinstance(each, BalanceReported)
    }


@pytest.mark.parametrize("kind", ["linear", "spot"])
async def test_a_session_begins_with_what_a_cut_log_has(kind: str) -> None:
    """Cut after a fill, without an end, and with others under way: what was heard counts alone."""
    config = configured(kind)
    turns = await played(config, MemoryLog())
    filled = [each.turn.number for each in turns if any_fill(each)]
    for number in (filled[0], filled[len(filled) // 2]):
        log = await cut(turns[:number])
        kept = facts(turns[:number])
        assert [type(each) for each in kept if isinstance(each, SessionStarted | SessionEnded)] == [
            SessionStarted
        ]
        assert found(facts(await played(config, log))) == added_up(kept)


def any_fill(sealed: Sealed) -> bool:
    """Whether a turn heard of a fill."""
    return any(isinstance(fact, OrderFilled) for fact in sealed.turn.facts)


async def test_every_place_to_cut_is_as_good() -> None:
    """After any turn whatever, the balances on the log are what its fills and payments give."""
    turns = await played(configured("linear"), MemoryLog())
    engine, told = Engine(), list[Any]()
    for sealed in turns:
        engine.fold(sealed.turn)
        told += sealed.turn.facts
        left = left_behind(engine, "main", Nanos(0))
        totals = {e.asset: e.free + e.locked for e in left if isinstance(e, BalanceReported)}
        sizes = {e.instrument: e.size for e in left if isinstance(e, PositionReported)}
        if totals:
            net = {number: size for number, size in added_up(told)[1].items() if size}
            assert (totals, sizes) == (added_up(told)[0], net)


class Answers(PaperGateway):
    """A venue with this to say, at once."""

    def __init__(self, *answers: Fact) -> None:
        """Say it when polled."""
        super().__init__(PaperSettings(), 1)
        self._answers = answers

    def poll(self, at: Nanos) -> tuple[Fact, ...]:
        """All that is left to say."""
        del at
        answers, self._answers = self._answers, ()
        return answers


def balance(asset: str) -> BalanceReported:
    """Nothing of an asset."""
    nothing = Decimal(0)
    return BalanceReported(
        wallet="main", asset=asset, free=nothing, locked=nothing, received=START, venue_time=START
    )


FILL: Final = (filled("a", BUY, 100, 1), balance("USDT"), balance("BTC"))


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_a_turn_has_a_fill_with_its_balances(before: int) -> None:
    """However many facts stand before it: a crash between two turns parts nothing, nor mixes."""
    stage = Stage()
    notes = [NoteTaken(who="test", text=str(number)) for number in range(TURN_FACTS_MAX)]
    heard: list[Fact] = list(notes[: TURN_FACTS_MAX - before])
    answers = (*FILL, acked("b"), *FILL * 100)
    stage.runner._gateway = Answers(*answers)
    turns = [stage.runner._with_answers(heard, START)]
    while stage.inbox.has_private:
        taken, _, _ = stage.inbox.take(None, TURN_FACTS_MAX)
        turns.append(stage.runner._with_answers(taken, START))
    assert [fact for turn in turns for fact in turn] == [*heard[: len(notes) - before], *answers]
    assert all(len(turn) <= TURN_FACTS_MAX for turn in turns)
    assert not any(isinstance(turn[0], BalanceReported) for turn in turns)
    assert len(turns) == 3


def test_what_comes_later_does_not_overtake() -> None:
    """While facts wait that did not fit a turn, answers wait behind them."""
    stage = Stage()
    notes = [NoteTaken(who="test", text=str(number)) for number in range(TURN_FACTS_MAX - 1)]
    stage.inbox.tell(*notes, *FILL)
    taken, _, _ = stage.inbox.take(None, TURN_FACTS_MAX)
    stage.runner._gateway = Answers(acked("late"))
    assert stage.runner._with_answers(taken, START) == notes
    taken, _, _ = stage.inbox.take(None, TURN_FACTS_MAX)
    assert taken == [*FILL, acked("late")]


def test_balances_alone_are_taken_as_they_fit() -> None:
    """More than a turn takes, without a cause among them: nothing waits for ever."""
    told = [balance(str(number)) for number in range(5)]
    assert [whole(told, room) for room in (0, 2, 5, 9)] == [0, 2, 5, 5]


def test_an_id_of_the_log_keeps_its_instrument() -> None:
    """Another name or other steps under a known id are refused; a new fee or a new id is not."""
    logged = Ledger()
    logged._defined(instrument(), START)
    check_known((instrument(maker_fee=Decimal(0)), instrument(instrument=1, symbol="X")), logged)
    for other in (instrument(symbol="ETHUSDT"), instrument(lot_size=Decimal("0.01"))):
        with pytest.raises(SessionError, match="is not the paper:BTCUSDT") as refused:
            check_known((other,), logged)
        assert refused.value.where == "instrument 0"
        assert "another desk" in refused.value.remedy
