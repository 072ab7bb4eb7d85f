"""Streams are created as declared, and an existing one that differs is refused untouched."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import nats
import pytest
from nats.js.errors import APIError

from mm.errors import ConfigError, DiskTooSmall, JetStreamDisabled, LogUnavailable, StreamMismatch
from mm.log import connection
from mm.log.server import EmbeddedServer, ServerOptions
from mm.log.streams import Streams, Usage, compare, default_path, ensure, load, usage
from tests.log.foreign import jetstream, nats_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nats.aio.client import Client

DAY = 86_400.0


@pytest.fixture
async def nc(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a fresh embedded server."""
    async with EmbeddedServer(tmp_path / "store", "2m") as server:
        client = await connection.connect(server.access)
        yield client
        await client.close()


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """Write a copy of the declarations with one thing changed."""
    text = default_path().read_text()
    assert old in text
    (tmp_path / "streams.yaml").write_text(text.replace(old, new))
    return tmp_path / "streams.yaml"


async def stored(nc: Client, streams: Streams) -> Usage:
    """Offer the stream 20 kB, and tell how full it is then."""
    with suppress(APIError):
        await nc.jetstream().publish("mm.demo.market", os.urandom(20_000))
    return (await usage(nc, streams))[0]


def test_desk_is_filled_in() -> None:
    """Names, subjects and the source follow the desk."""
    streams = load("demo")
    assert streams.session.name == "MM_demo"
    assert streams.market_subject == "mm.demo.market"
    assert streams.orders_subject == "mm.demo.orders"
    assert streams.orders.config["sources"] == [
        {"name": "MM_demo", "filter_subject": "mm.demo.orders"}
    ]


def test_amounts_have_units() -> None:
    """Sizes become bytes and durations nanoseconds; the alarm is a share of the limit."""
    session = load("demo").session
    assert session.config["max_bytes"] == 16 << 30
    assert session.config["max_msg_size"] == connection.TURN_MESSAGE_MAX
    assert session.config["duplicate_window"] == 120 * 10**9
    assert session.alarm_bytes == int(0.8 * (16 << 30))


@pytest.mark.parametrize("desk", ["", "a.b", "a b", "a>", "*", "A", "-a", "x_orders", "a" * 49])
def test_bad_desk(desk: str) -> None:
    """A desk that would break subjects or collide with another desk's streams is refused."""
    with pytest.raises(ConfigError, match="cannot name a desk"):
        load(desk)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("discard: new", "discrad: new"),
        ("16GiB", "16 parsecs"),
        ("16GiB", "2m"),
        ("duplicate_window: 2m", "duplicate_window: 2GiB"),
        ("storage: file", "storage: tape"),
        ("num_replicas: 1", "num_replicas: many"),
        ("alarm_at: 0.8", "alarm_at: 80"),
        ("filter_subject: mm.{desk}.orders", "filter_subject: mm.{desk}.market"),
        ("session:", "sessions:"),
        ("session:", "[session:"),
    ],
)
def test_bad_file(tmp_path: Path, old: str, new: str) -> None:
    """A typo, a wrong unit or a broken file is an error that names the file."""
    with pytest.raises(ConfigError, match=r"streams\.yaml"):
        load("demo", changed(tmp_path, old, new))


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is a config error too."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load("demo", tmp_path / "nothing.yaml")


async def test_created_as_declared(nc: Client) -> None:
    """What is missing is created, and a second look finds nothing to do."""
    await ensure(nc, load("demo"))
    await ensure(nc, load("demo"))
    config = (await nc.jetstream().stream_info("MM_demo")).config
    assert config.max_bytes == 16 << 30
    assert config.deny_delete
    assert str(config.discard) == "new"
    assert {stream.config.name for stream in await nc.jetstream().streams_info()} == {
        "MM_demo",
        "MM_demo_ORDERS",
    }


async def test_desks_do_not_meet(nc: Client) -> None:
    """Two desks share a server without sharing a stream."""
    await ensure(nc, load("one"))
    await ensure(nc, load("two"))
    await nc.jetstream().publish("mm.one.market", b"x")
    messages = [item.messages for item in await usage(nc, load("two"))]
    assert messages == [0, 0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_age", DAY),
        ("max_bytes", 1 << 20),
        ("max_msgs", 1000),
        ("discard", "old"),
        ("subjects", ["mm.demo.>"]),
        ("allow_direct", False),
        ("duplicate_window", 60.0),
    ],
)
async def test_difference_is_refused_and_kept(nc: Client, field: str, value: Any) -> None:
    """Another setting on the server is named with both values, and stays as it is."""
    await ensure(nc, load("demo"))
    js = nc.jetstream()
    other = (await js.stream_info("MM_demo")).config.evolve(**{field: value})
    await js.update_stream(other)
    before = (await js.stream_info("MM_demo")).config
    with pytest.raises(StreamMismatch, match=rf"MM_demo\.{field}: wanted .*, found ") as caught:
        await ensure(nc, load("demo"))
    assert caught.value.exit_code == 4
    assert (await js.stream_info("MM_demo")).config == before


async def test_every_difference_is_listed(nc: Client) -> None:
    """All differences of both streams are told at once."""
    js = nc.jetstream()
    await js.add_stream(name="MM_demo", subjects=["mm.demo.market", "mm.demo.orders"])
    await js.add_stream(name="MM_demo_ORDERS", subjects=["elsewhere"])
    with pytest.raises(StreamMismatch) as caught:
        await ensure(nc, load("demo"))
    for part in ("MM_demo.deny_delete", "MM_demo_ORDERS.sources", "MM_demo_ORDERS.subjects"):
        assert part in caught.value.what


def test_unknown_setting_is_seen() -> None:
    """A setting this version has never heard of counts as a difference, unless it is off."""
    stream = load("demo").session
    found = {**stream.config, "expire_quietly": True, "something": False, "metadata": {}}
    assert [str(item) for item in compare(stream, found)] == [
        "MM_demo.expire_quietly: wanted None, found True"
    ]


async def test_subject_is_taken(nc: Client) -> None:
    """Another stream that already stores our subjects is a mismatch, not a second log."""
    await nc.jetstream().add_stream(name="OTHER", subjects=["mm.>"])
    with pytest.raises(StreamMismatch, match="overlap"):
        await ensure(nc, load("demo"))


async def test_orders_are_copied(nc: Client) -> None:
    """Turns that touch orders reach the second stream, market data does not."""
    await ensure(nc, load("demo"))
    js = nc.jetstream()
    await js.publish("mm.demo.market", b"tick")
    await js.publish("mm.demo.orders", b"fill")
    for _ in range(1000):
        if (copied := (await usage(nc, load("demo")))[1].messages) == 1:
            break
        await asyncio.sleep(0.005)
    assert copied == 1
    assert (await js.get_msg("MM_demo_ORDERS", 1)).data == b"fill"


async def test_nothing_can_be_deleted(nc: Client) -> None:
    """The server itself refuses to delete a turn, and to purge the orders."""
    await ensure(nc, load("demo"))
    js = nc.jetstream()
    await js.publish("mm.demo.market", b"tick")
    with pytest.raises(APIError):
        await js.delete_msg("MM_demo", 1)
    with pytest.raises(APIError):
        await js.purge_stream("MM_demo_ORDERS")


async def test_largest_turn_fits(nc: Client) -> None:
    """A turn of 512 KiB with headers is stored; a larger message is refused."""
    await ensure(nc, load("demo"))
    headers = {"Nats-Msg-Id": "a" * 64, "Nats-Expected-Last-Sequence": "0"}
    turn = b"x" * (512 * 1024)
    assert (await nc.jetstream().publish("mm.demo.market", turn, headers=headers)).seq == 1
    with pytest.raises(APIError, match="size"):
        await nc.jetstream().publish("mm.demo.market", b"x" * (517 * 1024))


async def test_full_stream_alarms_then_refuses(nc: Client, tmp_path: Path) -> None:
    """The alarm comes before the limit, and at the limit turns are refused, not dropped."""
    streams = load("demo", changed(tmp_path, "16GiB", "1MiB"))
    await ensure(nc, streams)
    alarms = [(await stored(nc, streams)).alarm for _ in range(80)]
    assert not alarms[0]
    assert alarms[-1]
    kept = (await usage(nc, streams))[0].messages
    assert alarms.index(True) < kept < len(alarms)
    with pytest.raises(APIError, match="maximum bytes"):
        await nc.jetstream().publish("mm.demo.market", b"x" * 10_000)
    assert (await usage(nc, streams))[0].messages == kept


async def test_no_room(tmp_path: Path) -> None:
    """A server that cannot promise the space is refused with what to change."""
    options = ServerOptions(file_store_max=1 << 30)
    async with EmbeddedServer(tmp_path / "store", options=options) as server:
        nc = await connection.connect(server.access)
        with pytest.raises(DiskTooSmall, match="max_file_store"):
            await ensure(nc, load("demo"))
        await nc.close()


async def test_no_jetstream(tmp_path: Path) -> None:
    """A server without JetStream is named as such, also past the check of the connection."""
    with nats_server(tmp_path) as port:
        nc = await nats.connect(f"nats://127.0.0.1:{port}")
        with pytest.raises(JetStreamDisabled):
            await ensure(nc, load("demo"))
        await nc.close()


async def test_jetstream_of_others(tmp_path: Path) -> None:
    """JetStream that is off for our account alone is the same to us."""
    accounts = {"A": {"users": [{"user": "u", "password": "p"}]}, "B": {"jetstream": "enabled"}}
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), accounts=accounts) as port:
        nc = await nats.connect(f"nats://u:p@127.0.0.1:{port}")
        with pytest.raises(JetStreamDisabled):
            await ensure(nc, load("demo"))
        await nc.close()


async def test_connection_is_gone(nc: Client) -> None:
    """A server that is out of reach is an outage, not a mismatch."""
    await nc.close()
    with pytest.raises(LogUnavailable, match=r"does not answer STREAM\.INFO\.MM_demo"):
        await ensure(nc, load("demo"))
