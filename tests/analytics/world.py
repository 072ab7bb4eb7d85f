"""Small archives to ask questions of, and the events that random traders leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

from mm.events.account import FundingPaid
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import MarkPublished
from mm.events.orders import Liquidity
from mm.events.units import InstrumentId, Lots, Nanos, Side, Ticks
from mm.events.vocabulary import Event
from mm.log.archive import ArchiveWriter
from mm.log.chain import seal
from tests.build import START, filled, instrument, quote
from tests.strategies import DECISIONS

STEP: Final = 400_000_000
"""Nanoseconds between two turns."""
Wallet = str


def archived(path: Path, turns: Sequence[Sequence[Any]], name: str = "") -> Path:
    """An archive of these turns' events; orders are decisions, everything else facts."""
    with ArchiveWriter(path, name=name) as writer:
        for number, events in enumerate(turns):
            decided = [event for event in events if _is_decision(event)]
            facts = [event for event in events if not _is_decision(event)]
            at = Nanos(START + number * STEP)
            writer.append(seal(writer.head, at, facts, decided))
    return path


def _is_decision(event: Event) -> bool:
    return isinstance(event, DECISIONS) and event.__struct_config__.tag != "trading.halted"


def instruments() -> list[InstrumentDefined]:
    """One contract of each kind, in steps that are no powers of ten."""
    return [
        instrument(instrument=InstrumentId(0), tick_size=Decimal("0.1")),
        instrument(
            instrument=InstrumentId(1),
            kind=ContractKind.SPOT,
            symbol="ETHUSDT",
            base="ETH",
            tick_size=Decimal("0.25"),
            lot_size=Decimal("0.0001"),
        ),
        instrument(
            instrument=InstrumentId(2),
            kind=ContractKind.INVERSE,
            symbol="BTCUSD",
            settle="BTC",
            tick_size=Decimal("0.5"),
            lot_size=Decimal(1),
            multiplier=Decimal(100),
        ),
    ]


def trading(seed: int, turns: int) -> list[list[Any]]:
    """Traders of several strategies and wallets: fills told twice, funding, marks and quotes."""
    dice = Random(seed)
    log: list[list[Any]] = [list(instruments())]
    told: list[Any] = []
    for number in range(turns):
        at = InstrumentId(dice.randrange(3))
        middle = 10_000 + dice.randrange(-300, 300)
        events: list[Any] = [_quote(at, middle, dice)]
        if dice.random() < 0.1 and at == 0:
            events.append(_mark(at, middle, dice))
        if dice.random() < 0.8:
            told.append(_fill(at, middle, number, dice))
            events.append(told[-1])
        if told and dice.random() < 0.1:
            events.append(dice.choice(told))
        if dice.random() < 0.08:
            events.append(_funding(at, number, dice))
        log.append(events)
    return log


def _quote(at: InstrumentId, middle: int, dice: Random) -> Any:
    found = quote(middle - dice.randrange(1, 4), middle + dice.randrange(1, 4))
    return type(found)(**_fields(found) | {"instrument": at})


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def _mark(at: InstrumentId, middle: int, dice: Random) -> MarkPublished:
    price = Decimal(middle) / 10 + Decimal(dice.randrange(1_000)) / 10_000
    return MarkPublished(instrument=at, received=START, venue_time=START, price=price)


def _fill(at: InstrumentId, middle: int, number: int, dice: Random) -> Any:
    assets = {0: ["USDT"], 1: ["USDT", "ETH", "BNB"], 2: ["BTC"]}
    return filled(
        f"o{number}",
        dice.choice([Side.BUY, Side.SELL]),
        Ticks(middle),
        Lots(dice.randrange(1, 60)),
        fill_id=f"f{number}",
        instrument=at,
        strategy=dice.choice(["maker", "taker"]),
        wallet=dice.choice(["main", "other"]),
        liquidity=dice.choice(list(Liquidity)),
        fee=Decimal(dice.randrange(-1_000, 3_000)) / 10**6,
        fee_asset=dice.choice(assets[at]),
    )


def _funding(at: InstrumentId, number: int, dice: Random) -> FundingPaid:
    settle = {0: "USDT", 1: "USDT", 2: "BTC"}[at]
    return FundingPaid(
        wallet=dice.choice(["main", "other"]),
        instrument=at,
        asset=settle,
        amount=Decimal(dice.randrange(-500, 500)) / 10**7,
        rate=Decimal("0.0001"),
        mark=Decimal(1_000),
        size=Lots(1),
        due=START,
        received=START,
        venue_time=START,
        payment_id=f"p{number}",
    )
