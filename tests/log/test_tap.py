"""The tap: what was acknowledged, one event a message, under subjects that hold any name."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.orders import CancelAll
from mm.events.session import NoteTaken, TimerFired
from mm.events.units import InstrumentId, Nanos, Seq
from mm.events.vocabulary import KINDS
from mm.log.chain import START, seal
from mm.log.connection import close, connect
from mm.log.server import EmbeddedServer
from mm.log.tap import NO_INSTRUMENT, Tap, kind_token, token
from mm.log.wire import attach

if TYPE_CHECKING:
    from pathlib import Path

AWKWARD = ["BTC/USDT:USDT", "a.b", "*", ">", "with space", "1000% up", "ü/€", "tab\there", "~x_y-z"]
INSTRUMENT = InstrumentDefined(
    instrument=InstrumentId(7), venue="binance", symbol="BTC/USDT:USDT", kind=ContractKind.LINEAR,
    base="BTC", quote="USDT", settle="USDT", tick_size=Decimal("0.10"), lot_size=Decimal("0.001"),
)  # fmt: skip


@pytest.mark.parametrize("name", AWKWARD)
def test_any_name_fits_one_token(name: str) -> None:
    """A token has nothing NATS gives a meaning to, and leads back to the name."""
    assert re.fullmatch(r"[A-Za-z0-9%_~-]+", token(name))
    assert unquote(token(name)) == name


def test_an_empty_name_has_a_token() -> None:
    """A subject never has an empty token."""
    assert token("") == NO_INSTRUMENT


def test_kinds_stay_apart() -> None:
    """No two kinds share a token, and each fits into one."""
    tokens = [kind_token(kind) for kind in KINDS.values()]
    assert len(set(tokens)) == len(KINDS)
    assert all(re.fullmatch(r"[a-z_]+", each) for each in tokens)


@pytest.mark.parametrize("market", [False, True])
async def test_observers_follow_events(tmp_path: Path, *, market: bool) -> None:
    """A plain subscriber sees each event once, in order; market data only when asked for."""
    timer = TimerFired(timer="t", deadline=Nanos(1))
    note = NoteTaken(who="me", text="hello")
    cancel = CancelAll(instrument=InstrumentId(7), cause=Seq(1), reason="test")
    turn = seal(START, Nanos(5), [timer, INSTRUMENT, note], [cancel]).turn
    async with EmbeddedServer(tmp_path / "store", sync="2m") as server:
        nc = await connect(server.access)
        observer = await connect(server.reader)
        seen = await observer.subscribe("mm-tap.de%2Esk.>")
        await observer.flush()
        tap = Tap(await attach(nc), "de.sk", market=market)
        tap.publish(turn)
        heard = [await seen.next_msg(5) for _ in range(4 if market else 3)]
        await close(observer)
        await close(nc)
    future, here = "instrument_defined", "binance%3ABTC%2FUSDT%3AUSDT"
    kinds = [f"{future}.{here}", "note.-", f"order_cancel_all.{here}"]
    kinds = ["timer.-", *kinds] if market else kinds
    assert [each.subject for each in heard] == [f"mm-tap.de%2Esk.{kind}" for kind in kinds]
    last = json.loads(heard[-1].data)
    assert last == {
        "kind": "order.cancel_all", "event": 4, "turn": 1, "at": 5,
        "instrument": 7, "cause": 1, "reason": "test",
    }  # fmt: skip
    assert (tap.published, tap.dropped) == (len(heard), 0)


async def test_the_tap_drops_what_it_cannot_send(tmp_path: Path) -> None:
    """Without a connection events are counted as dropped, and nothing waits."""
    async with EmbeddedServer(tmp_path / "store", sync="2m") as server:
        nc = await connect(server.access)
        tap = Tap(await attach(nc), "desk")
        await close(nc)
        tap.publish(seal(START, Nanos(1), [NoteTaken(who="me", text="x")], []).turn)
    assert (tap.published, tap.dropped) == (0, 1)
