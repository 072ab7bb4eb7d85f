"""The compiled venue tells what the plain one tells, in recorded markets full of our orders."""

import gzip
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from msgspec.structs import replace

from mm.events.base import MarketEvent
from mm.events.instrument import InstrumentDefined
from mm.events.orders import OrderFilled, OrderKind, TimeInForce
from mm.events.session import TimerFired
from mm.events.units import MILLIS, Lots, Nanos, Ticks
from mm.sim.settings import Latency, PaperSettings
from tests.build import BUY, SELL, cancel, placed
from tests.gateways.lines import SPOT_2024, USDM_2023, USDM_2024, imported, recording
from tests.oracle.plain_trading import pit_of
from tests.sim.build import amend, cancels_all
from tests.sim.twins import Twins

FILES: Final = (USDM_2024, SPOT_2024, USDM_2023)
LINES: Final = 3_000
EVERY: Final = 101
"""So many calls lie between two thorough looks."""
OPEN_MAX: Final = 12
MONEY: Final = {"USDT": Decimal(200_000), "BTC": Decimal(2)}


class Trader:
    """Sends orders of every kind near the touch, by chance."""

    def __init__(self, seed: int) -> None:
        """Nothing is sent yet."""
        self._random = Random(seed)
        self._sent = 0

    def commands(self, twins: Twins) -> Iterator[Any]:
        """What is sent now, if anything: one call in five sends something."""
        choose = self._random.randrange
        book = pit_of(twins.plain, twins.instruments[0]).book
        if choose(5) or not book.mid2:
            return
        resting = [report.order_id for report in twins.plain.open_orders()]
        side = self._random.choice((BUY, SELL))
        touch = book.half(side).touch * side
        price = touch + side * choose(-6, 3)
        if len(resting) >= OPEN_MAX:
            yield cancels_all() if choose(4) == 0 else cancel(self._random.choice(resting))
        elif resting and choose(3) == 0:
            yield amend(self._random.choice(resting), price, choose(1, 60))
        else:
            yield self._order(side, price)

    def _order(self, side: Any, price: int) -> Any:
        choose = self._random.randrange
        self._sent += 1
        order = placed(f"o{self._sent}", side, price, choose(1, 40))
        kind = choose(8)
        if kind == 0:
            return replace(order, kind=OrderKind.MARKET, price=Ticks(0))
        if kind == 1:
            return replace(order, tif=TimeInForce.IOC, size=Lots(choose(1, 20_000)))
        if kind == 2:
            return replace(order, tif=TimeInForce.FOK)
        if kind == 3:
            return replace(order, reduce_only=True)
        return replace(order, post_only=kind > 4)


def played(path: Path, settings: PaperSettings) -> Twins:
    """Both venues after a recording."""
    _, turns = imported(path)
    defined = [fact for fact in turns.facts if isinstance(fact, InstrumentDefined)]
    twins, trader = Twins(settings, *defined, every=EVERY), Trader(7)
    at = Nanos(0)
    for turn in turns.turns:
        at = turn.at
        for fact in turn.facts:
            if isinstance(fact, MarketEvent) and not isinstance(fact, TimerFired):
                twins.hear(at, fact)
        for action in trader.commands(twins):
            number = defined[0].instrument
            twins.submit(at, replace(action, instrument=number))
    twins.end(Nanos(at + 10**10))
    return twins


def accounts(queue: str, name: str) -> PaperSettings:
    """An account some milliseconds away; on spot its money is limited."""
    return PaperSettings(
        entry=Latency(Nanos(0), Nanos(8 * MILLIS)),
        response=Latency(Nanos(MILLIS), Nanos(MILLIS)),
        queue=queue,
        balances=MONEY if name == SPOT_2024 else None,
    )


@pytest.mark.parametrize("name", FILES)
def test_the_beginning(name: str, tmp_path: Path) -> None:
    """The first lines of each recording."""
    path = tmp_path / name
    with gzip.open(recording(name)) as source, gzip.open(path, "wb", 1) as target:
        target.writelines(islice(source, LINES))
    twins = played(path, accounts("power3", name))
    assert sum(isinstance(fact, OrderFilled) for fact in twins.told) > 20


@pytest.mark.storm
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("queue", ["risk-averse", "log2"])
def test_all_of_it(name: str, queue: str) -> None:
    """Every line of each recording."""
    twins = played(recording(name), accounts(queue, name))
    assert sum(isinstance(fact, OrderFilled) for fact in twins.told) > 1_000
