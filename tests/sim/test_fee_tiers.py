"""Fees by volume: the plain venue and the columns of a run charge the same, fill by fill."""

from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.analytics.run import Run, RunInfo
from mm.analytics.tiers import tiered
from mm.apps.backtest import STOP_PATIENCE
from mm.engine.parameters import settings_in
from mm.errors import ConfigError
from mm.events.instrument import ContractKind
from mm.events.orders import Liquidity
from mm.events.units import Nanos, Side
from mm.sim.compiled_run import CompiledRun
from mm.sim.fees import Tiers, fee
from mm.sim.revisions import Revisions
from mm.sim.settings import PaperSettings, Tier, validate
from tests.build import instrument, started
from tests.sim.passing import World, plainly, prepared, records, tables_and_rows
from tests.sim.worlds import revising, synthetic

TIERS: Final = (
    Tier(Decimal("0.4"), Decimal("0.0003"), Decimal("0.0006")),
    Tier(Decimal(1), Decimal("0.0001"), Decimal("0.0004")),
    Tier(Decimal(3), Decimal("-0.0001"), Decimal("0.0002")),
)


def charged(world: World) -> list[tuple[Decimal, str]]:
    """What each fill of the pass costs, in the order heard."""
    memory, names = prepared(world)
    tables, rows = tables_and_rows(world)
    settings = settings_in(started(**world.settings).config)
    revisions = Revisions(memory, settings, world.instruments, tables.revisions)
    run = CompiledRun(memory, revise=revisions.take)
    run.feed(rows)
    run.end(STOP_PATIENCE)
    revisions.number()
    clock, zero = memory.clock[0], Nanos(0)
    info = RunInfo(
        name="",
        recording="",
        code_version="",
        desks=names,
        instruments=world.instruments,
        first=zero,
        last=zero,
        revisions=tuple(tables.revisions),
    )
    made = Run(info, memory.orders[:0], memory.fills[: clock["fills"]], memory.points[:0])
    made = tiered(made, world.paper.tiers, world.paper.volume)
    return [_fee(made, fill) for fill in records(made.fills)]


def _fee(run: Run, fill: dict[str, Any]) -> tuple[Decimal, str]:
    number = fill["revision"]
    stood = run.info.revisions[number - 1] if number else run.info.instruments[fill["instrument"]]
    liquidity = Liquidity.TAKER if fill["taker"] else Liquidity.MAKER
    return fee(stood, Side(fill["side"]), fill["price"], fill["size"], liquidity)


@given(world=revising(), volume=st.sampled_from([0, 2]))
def test_columns_charge_what_the_venue_does(world: World, volume: int) -> None:
    """With revisions amid, with several desks and instruments of one quote currency."""
    paper = replace(world.paper, tiers=TIERS, volume=Decimal(volume))
    world = world._replace(paper=paper)
    assert charged(world) == list(plainly(world).fees)


def test_fees_fall_as_volume_grows() -> None:
    """In a market that trades, every tier is reached in its order, and both ways agree."""
    world = synthetic(24, 600)
    fills = len(plainly(world).fills)
    first = Tier(Decimal(0), Decimal("0.01"), Decimal("0.01"))
    later = Tier(Decimal(1), Decimal(0), Decimal(0))
    world = world._replace(paper=replace(world.paper, tiers=(first, later)))
    found = charged(world)
    assert found == list(plainly(world).fees)
    free = [amount == 0 for amount, _ in found]
    assert len(free) == fills
    assert free == sorted(free)
    assert 0 < sum(free) < fills


def test_a_fill_pays_by_what_was_traded_before_it() -> None:
    """The fill that reaches a tier pays by the one below; quote currencies do not mix."""
    tiers, linear = Tiers(TIERS, Decimal(0)), instrument()
    other = instrument(quote="USDC", settle="USDC")
    assert tiers.place(linear) == 0
    tiers.add(linear, 1_000, 4)  # 100.0 x 0.004.
    assert (tiers.place(linear), tiers.place(other)) == (1, 0)
    assert tiers.terms(linear, 1).maker_fee == Decimal("0.0003")
    assert tiers.terms(linear, 0) is linear
    inverse = instrument(kind=ContractKind.INVERSE, settle="BTC", lot_size=Decimal(1))
    tiers.add(inverse, 1_000, 1)  # One contract of 1 USDT.
    assert tiers.place(linear) == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"volume": Decimal(-1)}, "volume"),
        ({"tiers": (TIERS[1], TIERS[0])}, "tiers"),
        ({"tiers": (TIERS[0], TIERS[0])}, "tiers"),
        ({"tiers": (Tier(Decimal(0), Decimal(1), Decimal(0)),)}, "tiers"),
        ({"tiers": (Tier(Decimal("NaN"), Decimal(0), Decimal(0)),)}, "tiers"),
    ],
)
def test_tiers_that_nobody_can_mean(change: dict[str, Any], named: str) -> None:
    """Tiers out of order, fees that are no fractions, volume below zero are refused by name."""
    with pytest.raises(ConfigError, match=f"paper.{named}"):
        validate(PaperSettings(**change))
