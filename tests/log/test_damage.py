"""Damage to what the server keeps is found at the start, by name, and nothing is repaired."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mm.errors import ChainBroken, LogDamaged, SequenceHole, TailLost
from mm.events.units import TurnNumber
from mm.log import kept
from mm.log.chain import START, advance
from mm.log.connection import close, connect
from mm.log.jetstream import LogOptions
from mm.log.pages import PageLimits
from mm.log.server import EmbeddedServer, ServerOptions
from mm.log.wire import ask
from tests.log.turns import DESK, fill, market, opened, orders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mm.log.chain import Head, Sealed

TURNS = 300
NAMED = re.compile(r"turns? \d+|sequence \d+|blocks of stream MM_test ")
IMPATIENT = PageLimits(silence_seconds_max=0.5)


def blocks(store: Path, stream: str) -> list[Path]:
    """The stream's block files, in order."""
    found = store.glob(f"jetstream/**/streams/{stream}/msgs/*.blk")
    return sorted(found, key=lambda path: int(path.stem))


async def log_of(path: Path, *, killed: bool, turns: int = TURNS) -> Head:
    """Write a log and its mark, and end the server cleanly or not."""
    async with EmbeddedServer(path / "store", sync="2m") as server:
        async with opened(server, LogOptions(mark=path / "mark")) as log:
            await fill(log, turns, "x" * 200)
            await log._reader.copied(log.head, 10)
        if killed:
            os.kill(server.pid, signal.SIGKILL)
            await server.exited()
    return log.head


async def reopen(path: Path, **options: Any) -> Head:
    """Start a server on what is left, and open the log."""
    options = {"mark": path / "mark", "pages": IMPATIENT, **options}
    limits = ServerOptions(start_seconds_max=5.0)
    async with (
        EmbeddedServer(path / "store", sync="2m", options=limits) as server,
        opened(server, LogOptions(**options)) as log,
    ):
        assert sum([1 async for _ in log.read()]) == log.head.number
        return log.head


async def read_orders(path: Path) -> list[Sealed]:
    """Start a server on what is left, and read the copy of the orders' turns."""
    async with (
        EmbeddedServer(path / "store", sync="2m") as server,
        opened(server, LogOptions(pages=IMPATIENT)) as log,
    ):
        return [sealed async for sealed in log.read_orders()]


def flip(block: Path, at: float) -> None:
    """Flip one bit at this fraction of the file."""
    data = bytearray(block.read_bytes())
    data[int(len(data) * at)] ^= 1
    block.write_bytes(data)


def cut(block: Path, size: int) -> None:
    """Cut bytes off the end."""
    os.truncate(block, block.stat().st_size - size)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "bit flipped at the start": lambda block: flip(block, 0.001),
    "bit flipped in the middle": lambda block: flip(block, 0.5),
    "bit flipped near the end": lambda block: flip(block, 0.995),
    "bit flipped so that nats-server never gets past it": lambda block: flip(block, 0.99),
    "one byte cut off": lambda block: cut(block, 1),
    "many bytes cut off": lambda block: cut(block, 5000),
    "emptied": lambda block: os.truncate(block, 0),
    "deleted": lambda block: block.unlink(),
}


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_to_a_block_is_named(tmp_path: Path, damage: str, *, killed: bool) -> None:
    """Whatever happens to the block files, the log is not opened, and the error says where."""
    await log_of(tmp_path, killed=killed)
    DAMAGES[damage](blocks(tmp_path / "store", DESK.session.name)[-1])
    with pytest.raises(LogDamaged) as caught:
        await reopen(tmp_path)
    assert re.search(r"turns? \d+|sequence \d+|blocks of stream MM_test ", str(caught.value)), (
        caught.value
    )


async def test_damage_to_an_older_block_is_named(tmp_path: Path) -> None:
    """A block that was closed and compressed long ago is looked at too."""
    async with (
        EmbeddedServer(tmp_path / "store", sync="2m") as server,
        opened(server, LogOptions(mark=tmp_path / "mark")) as log,
    ):
        for _ in range(40):
            noise = random.Random(log.head.number).randbytes(150_000).hex()
            await log.append(market(log.head, noise))
    first, *others = blocks(tmp_path / "store", DESK.session.name)
    assert others
    flip(first, 0.5)
    with pytest.raises(LogDamaged, match=NAMED):
        await reopen(tmp_path)


@pytest.mark.storm
@pytest.mark.parametrize("seed", range(100))
async def test_damage_anywhere_is_named(tmp_path: Path, seed: int) -> None:
    """One bit flipped or some bytes cut off, anywhere, after a stop or a kill: always caught."""
    chance = random.Random(seed)
    await log_of(tmp_path, killed=chance.random() < 0.5)
    (block,) = blocks(tmp_path / "store", DESK.session.name)
    if chance.random() < 0.7:
        flip(block, chance.random())
    else:
        cut(block, chance.randrange(1, 2000))
    with pytest.raises(LogDamaged):
        await reopen(tmp_path)


async def test_a_damaged_copy_is_named(tmp_path: Path) -> None:
    """A hole in the copy of the orders' turns is found by whoever reads it."""
    await log_of(tmp_path, killed=False)
    flip(blocks(tmp_path / "store", DESK.orders.name)[-1], 0.3)
    with pytest.raises(LogDamaged, match="MM_test_ORDERS"):
        await read_orders(tmp_path)


async def test_a_copy_that_stays_behind_is_made_up_for(tmp_path: Path) -> None:
    """What was not copied is read from the log itself, with a note at the start."""
    source = {"name": DESK.session.name, "filter_subject": "mm.test.nothing"}
    orders = msgspec.structs.replace(
        DESK.orders, config={**DESK.orders.config, "sources": [source]}
    )
    streams = msgspec.structs.replace(DESK, orders=orders)
    async with EmbeddedServer(tmp_path / "store", sync="2m") as server:
        async with opened(server, streams=streams) as log:
            done = await fill(log, 8)
            assert [sealed async for sealed in log.read_orders()] == done[::3]
            with pytest.raises(TailLost, match=r"0\.1 s after"):
                await log._reader.copied(log.head, 0.1)
        mark = LogOptions(mark=tmp_path / "mark")
        async with opened(server, mark, streams) as log:
            assert "is empty" in log.found.notes[1]
        await put_into_copy(server, done[0])
        async with opened(server, mark, streams) as log:
            with pytest.raises(TailLost):
                await log._reader.copied(log.head, 0.1)
            (note,) = log.found.notes
            assert "ends with turn 1: the server has not copied" in note
            assert [sealed async for sealed in log.read_orders()] == done[::3]


async def put_into_copy(server: EmbeddedServer, *turns: Sealed) -> None:
    """Let the copy have turns of our choosing, from a stream of another name."""
    nc = await connect(server.access)
    await ask(nc, f"STREAM.DELETE.{DESK.orders.name}", {})
    config = {**DESK.orders.config, "sources": [], "subjects": ["copy.*"]}
    await ask(nc, f"STREAM.CREATE.{DESK.orders.name}", config)
    for sealed in turns:
        headers = {"Nats-Msg-Id": sealed.id}
        await nc.jetstream().publish("copy.x", sealed.payload, headers=headers)
    source = {"name": DESK.session.name, "filter_subject": "mm.test.nothing"}
    config = {**DESK.orders.config, "sources": [source]}
    await ask(nc, f"STREAM.UPDATE.{DESK.orders.name}", config)
    await close(nc)


async def test_a_copy_of_another_log_is_named(tmp_path: Path) -> None:
    """A copy that holds what the log does not is refused, at the start and by its readers."""
    source = {"name": DESK.session.name, "filter_subject": "mm.test.nothing"}
    orders_stream = msgspec.structs.replace(
        DESK.orders, config={**DESK.orders.config, "sources": [source]}
    )
    streams = msgspec.structs.replace(DESK, orders=orders_stream)
    foreign = orders(START, "of another log")
    beyond = orders(msgspec.structs.replace(START, number=TurnNumber(20)), "lost")
    async with (
        EmbeddedServer(tmp_path / "store", sync="2m") as server,
        opened(server, streams=streams) as log,
    ):
        await fill(log, 8)
        await put_into_copy(server, foreign)
        with pytest.raises(ChainBroken, match="turn 1 that is not in the log"):
            await anext(aiter(log._reader._not_copied(advance(START, foreign), log.head)))
        with pytest.raises(ChainBroken, match="knows"):
            await opened(server, streams=streams).__aenter__()
        await put_into_copy(server, beyond)
        with pytest.raises(TailLost, match="13 acknowledged turns are lost: the copy"):
            await opened(server, streams=streams).__aenter__()


async def test_a_stream_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """Where a mark is, an absent stream is a loss, not a beginning."""
    await log_of(tmp_path, killed=False, turns=5)
    async with EmbeddedServer(tmp_path / "store", sync="2m") as server:
        nc = await connect(server.access)
        await ask(nc, f"STREAM.DELETE.{DESK.session.name}", {})
        for _ in range(2):
            with pytest.raises(TailLost, match="turn 5 was acknowledged"):
                async with opened(server, LogOptions(mark=tmp_path / "mark")):
                    pass
        await close(nc)


async def test_an_emptied_stream_is_a_loss(tmp_path: Path) -> None:
    """Purged, or deleted and begun anew: the mark remembers more."""
    mark = LogOptions(mark=tmp_path / "mark")
    await log_of(tmp_path, killed=False, turns=9)
    async with EmbeddedServer(tmp_path / "store", sync="2m") as server:
        nc = await connect(server.access)
        await ask(nc, f"STREAM.PURGE.{DESK.session.name}", {})
        with pytest.raises(SequenceHole, match="the stream is empty, and held turns up to 9"):
            async with opened(server):
                pass
        with pytest.raises(LogDamaged, match=r"turns? .*9"):
            async with opened(server, mark):
                pass
        await ask(nc, f"STREAM.DELETE.{DESK.session.name}", {})
        await ask(nc, f"STREAM.DELETE.{DESK.orders.name}", {})
        async with opened(server) as log:
            await fill(log, 8)
        with pytest.raises(TailLost, match="1 acknowledged turn is lost"):
            async with opened(server, mark):
                pass
        async with opened(server) as log:
            await fill(log, 5)
        with pytest.raises(ChainBroken, match="this is another log"):
            async with opened(server, mark):
                pass
        await close(nc)


async def test_an_undamaged_log_opens(tmp_path: Path) -> None:
    """The same road without damage leads back to the same head, after a stop and after a kill."""
    for killed in (False, True):
        path = tmp_path / str(killed)
        path.mkdir()
        assert await log_of(path, killed=killed) == await reopen(path)


async def test_a_store_that_nobody_closed_is_kept_as_it_was_found(tmp_path: Path) -> None:
    """The server cuts a damaged block off; what lay behind the damage is in the copy, all of it."""
    await log_of(tmp_path, killed=True)
    flip(blocks(tmp_path / "store", "MM_test")[0], 0.4)
    for index in (tmp_path / "store").rglob("index.db"):
        index.unlink()
    before = {file.name: file.read_bytes() for file in blocks(tmp_path / "store", "MM_test")}
    with pytest.raises(LogDamaged):
        await reopen(tmp_path, checked_by_read=True)
    after = {file.name: file.read_bytes() for file in blocks(tmp_path / "store", "MM_test")}
    assert sum(map(len, after.values())) < sum(map(len, before.values())), "nothing was cut off"
    for _ in range(2):  # A second start, of the damaged store, does not touch the first copy.
        kept_now = blocks(kept.place(tmp_path / "store"), "MM_test")
        assert {file.name: file.read_bytes() for file in kept_now} == before
        with pytest.raises(LogDamaged):
            await reopen(tmp_path, checked_by_read=True)


async def test_the_copy_goes_when_the_log_was_found_whole(tmp_path: Path) -> None:
    """A crash without damage leaves a copy until everything was read; a clean stop leaves none."""
    store = tmp_path / "store"
    await log_of(tmp_path, killed=True)
    async with EmbeddedServer(store) as server:
        assert blocks(kept.place(store), "MM_test")
        options = LogOptions(checked_by_read=True, on_whole=partial(kept.drop, store))
        async with opened(server, options) as log:
            assert kept.place(store).exists()
            assert sum([1 async for _ in log.read()]) == TURNS
            assert not kept.place(store).exists()
    async with EmbeddedServer(store):
        assert not kept.place(store).exists()


async def test_without_room_for_a_copy_there_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start goes on, and says what it could not do."""
    await log_of(tmp_path, killed=True, turns=3)
    monkeypatch.setattr(kept, "FREE_LEFT_MIN", 1 << 60)
    async with EmbeddedServer(tmp_path / "store") as server:
        assert "no room to copy it" in server.note
    assert not kept.place(tmp_path / "store").exists()


async def test_turns_lost_while_we_write_are_no_second_writer(tmp_path: Path) -> None:
    """A server that came back without acknowledged turns is told as that, and not as a fence."""
    store = tmp_path / "store"

    async def down(server: EmbeddedServer) -> None:
        os.kill(server.pid, signal.SIGKILL)
        await server.exited()

    async with EmbeddedServer(store) as server, opened(server) as log:
        await fill(log, 3)
        await down(server)
        shutil.copytree(store / "jetstream", tmp_path / "older")
        await server.restart()
        await fill(log, 4)
        await down(server)
        shutil.rmtree(store / "jetstream")
        (tmp_path / "older").rename(store / "jetstream")
        await server.restart()
        with pytest.raises(TailLost, match="the last 4 turns before turn 8"):
            await log.append(market(log.head))
