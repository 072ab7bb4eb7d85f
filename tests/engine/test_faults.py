"""When our own code raises: facts are kept, quotes pulled, trading halted, and it all replays."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from mm.engine.core import Engine, Outcome
from mm.engine.fault import FAULT_TEXT_MAX, described, located
from mm.engine.verify import verify
from mm.errors import ConfigError
from mm.events.orders import CancelAll, PlaceOrder
from mm.events.session import (
    EngineFaulted,
    NoQuoteReason,
    ParameterChanged,
    QuotingReasonChanged,
    TradingHalted,
    TradingRearmed,
)
from mm.events.units import SECONDS, InstrumentId, Nanos, Seq
from mm.events.vocabulary import Fact
from mm.log.chain import Sealed
from mm.strategy.base import MarketView, Wanted
from tests.build import (
    BTC,
    BUY,
    acked,
    delta,
    filled,
    instrument,
    printed,
    quote,
    reconciled,
    snapshot,
    started,
)
from tests.engine.session import Broken, Draw, Session, draws, employ, plain, play

IMPOSSIBLE: Fact = instrument(tick_size=instrument().lot_size)
"""Other ticks under the same id: the ledger asserts that this never happens."""
REARM = TradingRearmed(who="ann", reason="repaired")


def replayed(turns: list[Sealed], at_turn: int = 0, *, broken: bool = False) -> list[Outcome]:
    """What another engine makes of the recorded facts."""
    engine, outcomes = Engine(), []
    for sealed in turns:
        if broken and sealed.turn.number == at_turn:
            employ(engine, "maker", Broken(ZeroDivisionError))
        outcomes.append(engine.step(sealed.turn.at, sealed.turn.facts))
    return outcomes


def folded(turns: list[Sealed]) -> Engine:
    """The engine that a restart recovers."""
    engine = Engine()
    for sealed in turns:
        engine.fold(sealed.turn)
    return engine


def test_a_strategy_that_raises_is_a_decision_beside_its_facts() -> None:
    """EngineFaulted, CancelAll, TradingHalted; the facts of the turn are whole and folded."""
    session = Session().quotes().answers()
    employ(session.engine, "maker", Broken(ZeroDivisionError))
    facts = (filled("z", BUY, 10_000, 7), quote(10_009, 10_011))
    outcome = session.hears(*facts)
    assert outcome.facts == facts
    fault, pull, halt = outcome.decisions
    cause = Seq(session.turns[-1].turn.first + 1)
    assert isinstance(fault, EngineFaulted)
    assert fault.error == "ZeroDivisionError", "Python's words differ between its versions"
    assert fault.where == "tests.engine.session.Broken.decide"
    assert (pull, fault.cause) == (
        CancelAll(instrument=BTC, cause=cause, reason="engine faulted"),
        cause,
    )
    assert halt == TradingHalted(who="engine", reason="engine faulted", cause=cause)
    assert session.engine.state.ledger.net(BTC) == 7
    assert session.engine.state.books.of(BTC).mid == 10_010
    again = replayed(session.turns, session.turns[-1].turn.number, broken=True)
    assert again[-1] == outcome


def test_a_fault_halts_until_a_person_re_arms() -> None:
    """No strategy is asked meanwhile, in this session or the next."""
    session = Session().quotes().answers()
    employ(session.engine, "maker", Broken(AssertionError))
    session.hears(REARM)
    assert session.decided(EngineFaulted)
    session.answers()
    for _ in range(2):
        session.hears(quote(10_009, 10_011), after=2 * SECONDS)
        assert not session.decided(EngineFaulted)
        assert not session.decided(PlaceOrder)
    session.starts()
    session.hears(reconciled(), quote(10_009, 10_011))
    (told,) = session.decided(QuotingReasonChanged)
    assert (told.bid, told.detail) == (NoQuoteReason.HALTED, "engine faulted")
    session.hears(REARM)
    assert session.prices() == [9_999, 10_021]


def test_depth_that_no_book_can_hold_halts() -> None:
    """A price of more than 64 bits: the book is lost, and a restart finds all as it was."""
    session = Session().quotes().answers()
    assert session.live()
    session.hears(snapshot((9_999, 5), (10_001, 5)), delta((1 << 63, 1), ()), quote(9_998, 10_002))
    (fault,) = session.decided(EngineFaulted)
    assert "BadInput: a level of a book has a price" in fault.error
    assert "where: the depth of instrument 0" in fault.error
    assert session.decided(CancelAll)
    assert session.decided(TradingHalted)
    assert not session.engine.state.books.of(BTC).usable
    assert folded(session.turns).state.digests() == session.engine.state.digests()
    seen = verify(session.turns)
    assert (seen.difference, seen.digest) == (None, session.engine.digest())


def test_our_own_words_are_told() -> None:
    """An assertion says what it found."""
    session = Session().quotes()
    employ(session.engine, "maker", Broken(AssertionError))
    session.hears(REARM)
    (fault,) = session.decided(EngineFaulted)
    assert fault.error == f"AssertionError: asked at {session.at}, remembering None"


def test_what_others_decided_before_the_fault_stands() -> None:
    """Orders of an earlier desk are on the log, and canceled in the same turn."""
    session = Session(plain({"first": {}, "maker": {}})).starts()
    employ(session.engine, "maker", Broken(ZeroDivisionError))
    session.hears(quote(9_999, 10_001), reconciled())
    kinds = [type(each) for each in session.outcome.decisions]
    placed = [QuotingReasonChanged, PlaceOrder, PlaceOrder]
    assert kinds == [*placed, EngineFaulted, CancelAll, TradingHalted]
    assert {order.status.value for order in session.live()} == {"pending_cancel"}


def test_every_instrument_is_canceled_though_the_state_knows_no_order() -> None:
    """After a fault we do not trust what we know of our orders."""
    session = Session().starts()
    employ(session.engine, "maker", Broken(ZeroDivisionError))
    session.hears(quote(9_999, 10_001), reconciled())
    assert [each.instrument for each in session.decided(CancelAll)] == [BTC]


def test_an_order_nobody_quotes_for_is_canceled_too() -> None:
    """It may be left from a session with other strategies."""
    eth = InstrumentId(1)
    session = Session(plain({"maker": {"instrument": "paper:BTCUSDT"}}))
    session.starts(instrument(), instrument(instrument=eth, symbol="ETHUSDT"))
    session.engine.state.orders.load(([_order("x", eth)], [], [1, 0, 0], []))
    employ(session.engine, "maker", Broken(ZeroDivisionError))
    session.hears(quote(9_999, 10_001), reconciled())
    assert [each.instrument for each in session.decided(CancelAll)] == [BTC, eth]


def _order(name: str, of: InstrumentId) -> object:
    session = Session().quotes()
    live, *_ = session.engine.state.orders.dump()
    return {**live[0], "order_id": name, "instrument": of}


# -- faults while hearing --------------------------------------------------------------------------


def test_facts_behind_a_fault_are_folded() -> None:
    """A fill is never lost because of what stood before it."""
    session = Session().quotes().answers()
    bid = session.live(BUY)[0]
    fill = filled(bid.order_id, BUY, bid.price, 4)
    session.hears(printed(1, 1), IMPOSSIBLE, fill)
    (fault,) = session.decided(EngineFaulted)
    assert fault.error.startswith("AssertionError: 0 is ")
    assert fault.where == "mm.projections.ledger.Ledger._defined"
    assert session.engine.state.ledger.net(BTC) == 4
    assert session.live(BUY)[0].filled == 4
    assert not session.decided(PlaceOrder)


def test_further_faults_of_a_turn_are_counted() -> None:
    """The first one is told, with how many there were besides."""
    session = Session().quotes()
    session.hears(IMPOSSIBLE, printed(1, 1), IMPOSSIBLE, IMPOSSIBLE)
    (fault,) = session.decided(EngineFaulted)
    assert fault.error.endswith(" (and 2 more)")


def test_a_fault_replays_and_is_recovered() -> None:
    """Verify reproduces it to the byte; a fold of the log gives the state it left."""
    session = Session().quotes().answers()
    bid = session.live(BUY)[0]
    session.hears(IMPOSSIBLE, filled(bid.order_id, BUY, bid.price, 4), IMPOSSIBLE)
    session.answers()
    seen = verify(session.turns)
    assert seen.difference is None
    assert seen.digest == session.engine.digest()
    recovered = folded(session.turns)
    assert recovered.state.digests() == session.engine.state.digests()
    assert recovered.state.ledger.net(BTC) == 4
    assert recovered.state.health.halted == "engine faulted"


def test_a_fold_that_raises_where_no_fault_was_logged_stops() -> None:
    """Other code made this log, or the log is wrong: nothing may be traded on it."""
    session = Session().quotes()
    session.hears(IMPOSSIBLE)
    turn = session.turns[-1].turn
    engine = folded(session.turns[:-1])
    with pytest.raises(AssertionError, match="0 is"):
        engine.fold(replace(turn, decisions=()))


@given(draws)
def test_faults_in_any_session_replay_and_recover(drawn: list[Draw]) -> None:
    """Wherever it strikes."""
    session = play(drawn)
    session.hears(acked("x"), IMPOSSIBLE, quote(10_009, 10_011))
    session.answers()
    session.hears(REARM, quote(10_039, 10_041))
    assert verify(session.turns).difference is None
    assert folded(session.turns).state.digests() == session.engine.state.digests()


# -- faults of the settings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{", "ConfigError: "),
        ('{"strategies": {"maker": {}}, "limits": {}}', "ConfigError: Object missing"),
        ("[]", "ConfigError: "),
    ],
)
def test_a_session_whose_settings_cannot_be_read_trades_nothing(config: str, told: str) -> None:
    """Nor with those of the session before it."""
    session = Session().quotes().answers()
    session.hears(replace(started(), config=config), instrument())
    (fault,) = session.decided(EngineFaulted)
    assert fault.error.startswith(told)
    assert (session.engine.posts, session.engine.deadline()) == ({}, None)
    session.answers().hears(REARM, reconciled(), quote(9_999, 10_001), after=10 * SECONDS)
    assert session.live() == []
    assert verify(session.turns).difference is None


def test_settings_that_the_instrument_cannot_express_fault_at_the_start() -> None:
    """A size between two lots is not rounded."""
    session = Session(order_size="0.0105").starts()
    (fault,) = session.decided(EngineFaulted)
    assert "0.0105" in fault.error
    assert session.engine.posts == {}


def test_a_parameter_that_cannot_be_adopted_changes_nothing() -> None:
    """It faults, every desk keeps what it had, and a later change works."""
    both = plain({"a": {}, "maker": {}})
    session = Session(both).quotes().answers()
    before = session.engine.posts[BTC].desks[0].strategy
    bad = ParameterChanged(who="ann", name="strategies.maker.order_size", old="", new="0.0105")
    session.hears(bad)
    (fault,) = session.decided(EngineFaulted)
    assert "strategies.maker.order_size" in fault.error
    assert [desk.strategy for desk in session.engine.posts[BTC].desks] == [before, before]
    good = ParameterChanged(who="ann", name="strategies.maker.order_size", old="", new="0.02")
    session.answers().hears(REARM, good)
    desks: list[Any] = session.engine.posts[BTC].desks
    sizes = [desk.strategy.order_size for desk in desks]
    assert sizes == [10, 20]


def test_a_parameter_outside_a_session_is_our_bug() -> None:
    """Nobody is there to adopt it."""
    change = ParameterChanged(who="ann", name="strategies.maker.levels", old="", new="2")
    outcome = Engine().step(Nanos(1), (change,))
    (fault, _halt) = outcome.decisions
    assert isinstance(fault, EngineFaulted)
    assert "outside a session" in fault.error


def test_a_revision_that_cannot_be_fitted_changes_nothing() -> None:
    """The instrument stays, and so do the desks."""
    session = Session().quotes().answers()
    session.hears(IMPOSSIBLE)
    assert session.engine.state.ledger.instruments[BTC] == instrument()
    assert [desk.name for desk in session.engine.posts[BTC].desks] == ["maker"]


def test_nothing_of_a_faulted_turn_is_carried_on() -> None:
    """Neither a parameter nor a pull that was still to come."""
    session = Session().quotes().answers()
    change = ParameterChanged(who="ann", name="strategies.maker.levels", old="", new="2")
    session.hears(change, TradingHalted(who="ann", reason="lunch"), IMPOSSIBLE)
    assert len(session.decided(CancelAll)) == 1
    session.answers().hears(REARM)
    assert len(session.live()) == 2


# -- how it is told --------------------------------------------------------------------------------


def raised(error: Exception) -> Exception:
    """The error as it comes out of a frame."""
    try:
        raise error
    except type(error) as caught:
        return caught


def test_the_words_of_a_fault() -> None:
    """Ours with their text, without addresses and bounded; Python's by type alone."""
    assert described(ConfigError("wrong", where="x", remedy="y")) == (
        "ConfigError: wrong. where: x. Do: y"
    )
    assert described(AssertionError("at <X object at 0x7f3a2b1c>")) == (
        "AssertionError: at <X object at 0x…>"
    )
    assert described(KeyError("secret")) == "KeyError"
    assert len(described(AssertionError("x" * 1_000))) == FAULT_TEXT_MAX


def test_the_place_of_a_fault() -> None:
    """Module and function; nothing that differs from machine to machine."""
    assert located(raised(KeyError("x"))) == "tests.engine.test_faults.raised"
    assert located(KeyError("never raised")) == ""


class Divider(Broken, frozen=True):
    """A strategy that raises in an expression of several lines, in a frame without a name."""

    form: str = "list"

    def decide(self, view: MarketView, memory: None) -> tuple[Wanted, None]:
        """Divide by nothing, in a form of its choice."""
        forms: dict[str, Callable[[], object]] = {
            "list": lambda: [
                1 // each  # Its own frame up to Python 3.11, inlined from 3.12 on.
                for each in (0,)
            ],
            "set": lambda: {1 // each for each in (0,)},
            "generator": lambda: sum(1 // each for each in (0,)),
        }
        forms[self.form]()
        raise AssertionError(f"it divided: {view.at}, {memory}")


@pytest.mark.parametrize("form", ["list", "set", "generator"])
def test_a_comprehension_is_no_place_of_its_own(form: str) -> None:
    """What is recorded of a fault in one is the same text under every Python."""
    session = Session().quotes()
    employ(session.engine, "maker", Divider(ZeroDivisionError, form=form))
    session.hears(REARM)
    (fault,) = session.decided(EngineFaulted)
    assert fault.error == "ZeroDivisionError"
    assert fault.where == "tests.engine.test_faults.Divider.decide"
