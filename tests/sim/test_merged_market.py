"""Recordings of one instrument each, played as one market, are what the plain engine plays."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mm.apps.backtest import STOP_PATIENCE
from mm.gateways.base import Message
from mm.log.row_merge import MergedRows
from mm.log.row_writer import write_rows
from mm.sim.compiled_run import CompiledRun
from tests.build import BTC
from tests.sim.passing import Told, World, assert_same, plainly, prepared, tables_and_rows, told_by
from tests.sim.worlds import twice, worlds


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for files that are written over and over."""
    return tmp_path_factory.mktemp("merged")


def apart(world: World) -> World:
    """Each message split by instrument; at one time the first instrument's come first."""
    order = [defined.instrument for defined in world.instruments]
    parts: list[tuple[int, int, Message]] = [
        (message.received, order.index(number), Message(message.received, facts))
        for message in world.messages
        for number in order
        if (facts := _of(message, number))
    ]
    return world._replace(messages=tuple(part[2] for part in sorted(parts, key=lambda p: p[:2])))


def _of(message: Any, number: int) -> tuple[Any, ...]:
    return tuple(fact for fact in message.facts if fact.instrument == number)


def alone(world: World, number: int) -> World:
    """One instrument of a world, under an id that the other has as well."""
    own = world.instruments[number]
    messages = [
        Message(each.received, tuple(replace(fact, instrument=BTC) for fact in facts))
        for each in world.messages
        if (facts := _of(each, own.instrument))
    ]
    return world._replace(instruments=(replace(own, instrument=BTC),), messages=tuple(messages))


def merged(place: Path, world: World) -> MergedRows:
    """A file of rows for each instrument, read as one."""
    files = []
    for number in range(len(world.instruments)):
        tables, rows = tables_and_rows(alone(world, number))
        files.append(write_rows(place / f"{number}.arrow", tables, [rows]))
    return MergedRows(files)


def told(source: MergedRows, world: World, block: int) -> Told:
    """What comes of the files, read in blocks of so many rows."""
    memory, names = prepared(world._replace(instruments=tuple(source.tables.instruments)))
    run = CompiledRun(memory)
    for rows in source.blocks(block):
        run.feed(rows)
    run.end(STOP_PATIENCE)
    return told_by(memory, names)


@twice
@given(world=worlds(two=True).map(apart), block=st.sampled_from([1, 7, 65_536]))
def test_several_recordings_are_one_market(place: Path, world: World, block: int) -> None:
    """Two files in blocks of any size: the orders, fills, books and turns of the plain engine."""
    assert_same(plainly(world), told(merged(place, world), world, block))
