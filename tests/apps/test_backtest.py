"""Backtests of markets that move more at once than one turn takes."""

from decimal import Decimal
from itertools import islice
from typing import Any, Final

from mm.apps.backtest import Backtest
from mm.apps.config import Config, build
from mm.apps.session import opening
from mm.engine.verify import verify
from mm.events.account import BalanceReported
from mm.events.market import TradePrinted
from mm.events.orders import OrderFilled
from mm.events.turn import TURN_FACTS_MAX
from mm.events.units import MILLIS, Lots, Nanos, Ticks
from mm.gateways.base import Message
from mm.gateways.paper import PaperGateway
from mm.gateways.recorded import SyntheticFeed
from mm.log.chain import Sealed
from mm.sim.account import Account
from tests.apps.stage import BTC, LIMITS, MAKER, START, plain
from tests.build import SELL

MAKERS: Final = 6
LEVELS: Final = 20
QUIET: Final = 60
"""Messages until every maker quotes all its levels."""


def crowded() -> Config:
    """Makers that together rest more bids than half of the facts that a turn takes."""
    wide = {"levels": LEVELS, "position_max": 100, "refresh": "1ms"}
    roomy = {"position_max": 1_000, "open_orders_max": 1_000, "messages_per_second_max": 10_000}
    settings = plain()
    settings["strategies"] = {f"maker{number}": {**MAKER, **wide} for number in range(MAKERS)}
    settings["limits"] = {BTC: {**LIMITS, **roomy}}
    settings["paper"] = {"latency": "none", "open_orders_max": 1_000}
    return build(settings, {}, {}, where="crowded")


def crash(after: Message, feed: SyntheticFeed) -> Message:
    """A print far below every bid, and larger than all of them."""
    at = Nanos(after.received + MILLIS)
    defined = feed.instruments[0]
    printed = TradePrinted(
        instrument=defined.instrument,
        received=at,
        venue_time=at,
        trade_id="crash",
        price=Ticks(1),
        size=Lots(10**9),
        aggressor=SELL,
    )
    return Message(at, (printed,))


def test_a_print_that_fills_more_than_a_turn_takes() -> None:
    """Every fill and balance is heard, in several turns of that very time; the log verifies."""
    config = crowded()
    market = config.feed.market.settings  # type: ignore[union-attr]
    feed = SyntheticFeed(market, config.seed, START)
    messages = list(islice(feed.messages(Nanos(0)), QUIET))
    last = crash(messages[-1], feed)
    gateway = PaperGateway(config.paper.settings, config.seed)
    for defined in feed.instruments:
        gateway.define(START, defined)
    facts = opening(config, "s1", "backtest", feed.instruments, START)
    turns = list(Backtest(gateway).turns(facts, [*messages, last], START))
    struck = [each for each in turns if each.turn.at == last.received]
    fills = heard(struck, OrderFilled)
    assert 2 * len(fills) > TURN_FACTS_MAX
    assert len([each for each in struck if heard([each], OrderFilled)]) > 1
    assert max(len(each.turn.facts) for each in turns) == TURN_FACTS_MAX
    assert len(heard(struck, BalanceReported)) == len(fills)
    account = Account(None)
    for fill in heard(turns, OrderFilled):
        account.book(fill, feed.instruments[0])
    told: list[Any] = heard(turns, BalanceReported)
    assert (told[-1].asset, told[-1].free) == ("USDT", account.total("USDT"))
    assert told[-1].locked == Decimal(0)
    seen = verify(turns)
    assert (seen.difference, seen.turns) == (None, len(turns))


def heard(turns: list[Sealed], kind: type[Any]) -> list[Any]:
    """The facts of a kind, in order."""
    return [fact for each in turns for fact in each.turn.facts if isinstance(fact, kind)]
