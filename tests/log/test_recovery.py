"""What is compared before a log is trusted, with each thing that can be wrong on its own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from nats.js.errors import APIError

from mm.errors import (
    ChainBroken,
    DecodeError,
    LogDamaged,
    NewerVersion,
    SequenceHole,
    SessionError,
    TailLost,
    UnknownTag,
)
from mm.events.codec import digest_of, encode
from mm.events.units import Nanos, Seq, TurnNumber
from mm.log.chain import START, Head, Sealed, advance, seal, unseal
from mm.log.connection import close, connect
from mm.log.jetstream import LogOptions
from mm.log.reader import Reader
from mm.log.recovery import Known
from mm.log.server import EmbeddedServer
from mm.log.view import LogView
from mm.log.walk import Walk, sequence_of
from mm.log.wire import ask
from tests.log.turns import DESK, fill, market, opened, orders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nats.aio.client import Client


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server of this test's own."""
    async with EmbeddedServer(tmp_path / "store", sync="2m") as running:
        yield running


@pytest.fixture
async def nc(server: EmbeddedServer) -> AsyncIterator[Client]:
    """A connection that may do anything."""
    client = await connect(server.access)
    yield client
    await close(client)


async def written(server: EmbeddedServer, turns: int) -> tuple[Head, list[Sealed]]:
    """A log of so many turns."""
    async with opened(server) as log:
        done = await fill(log, turns)
    return log.head, done


async def inject(nc: Client, payload: bytes, **headers: str) -> None:
    """Put a message on the stream past the log."""
    subject = headers.pop("subject", DESK.market_subject)
    digest = hashlib.sha256(payload).hexdigest()
    all_headers = {"Nats-Msg-Id": headers.pop("id", digest), **headers}
    await nc.jetstream().publish(subject, payload, headers=all_headers)


def altered(sealed: Sealed, **changes: Any) -> bytes:
    """The bytes of a turn with other fields."""
    return encode(msgspec.structs.replace(sealed.turn, **changes))


def headers_of(sealed: Sealed) -> Head:
    """The head after a turn whose links are not looked at."""
    return advance(START, sealed)


async def read_all(nc: Client) -> list[Sealed]:
    """What an observer reads."""
    view = await LogView.open(nc, DESK)
    return [sealed async for sealed in view.read()]


async def refused(server: EmbeddedServer, kind: type[Exception], match: str) -> None:
    """The log is refused at the start, and by whoever reads it instead."""
    with pytest.raises(kind, match=match) as caught:
        async with opened(server):
            pass
    assert "MM_test, sequence 6" in str(caught.value)
    nc = await connect(server.reader)
    with pytest.raises(kind, match=match):
        await read_all(nc)
    await close(nc)


@pytest.mark.parametrize(
    ("changes", "kind", "match"),
    [
        ({"number": TurnNumber(9)}, SequenceHole, "turn 6 is missing: turn 9 follows turn 5"),
        ({"previous": bytes(32)}, ChainBroken, "turn 6 names 0000000000000000 before it"),
        ({"at": Nanos(0)}, ChainBroken, "is earlier"),
        ({"version": 99}, NewerVersion, "version 99"),
    ],
    ids=["number", "previous", "at", "version"],
)
async def test_a_turn_that_does_not_follow_is_named(
    server: EmbeddedServer, nc: Client, changes: dict[str, Any], kind: type[Exception], match: str
) -> None:
    """A well-formed message that no writer of ours can have sent is refused, with its sequence."""
    head, _ = await written(server, 5)
    await inject(nc, altered(market(head), **changes))
    await refused(server, kind, match)


async def test_a_turn_with_a_wrong_orders_link_is_named(server: EmbeddedServer, nc: Client) -> None:
    """The chain of the turns that touch orders is checked within the chain of all."""
    head, _ = await written(server, 5)
    wrong = altered(orders(head), previous_orders=bytes(32))
    await inject(nc, wrong, subject=DESK.orders_subject)
    await refused(server, ChainBroken, "does not name the last turn that touched orders")


@pytest.mark.parametrize("touching", [False, True])
async def test_a_turn_under_the_wrong_subject_is_named(
    server: EmbeddedServer, nc: Client, *, touching: bool
) -> None:
    """Orders hidden among market data would be missing in the copy."""
    head, _ = await written(server, 5)
    sealed = orders(head) if touching else market(head)
    subject = DESK.market_subject if touching else DESK.orders_subject
    await inject(nc, sealed.payload, subject=subject)
    await refused(server, ChainBroken, "wrong subject")


@pytest.mark.parametrize("follower", [False, True])
async def test_altered_bytes_are_named(
    server: EmbeddedServer, nc: Client, *, follower: bool
) -> None:
    """Bytes that do not hash to the id they stand under are refused, last turn or not."""
    head, _ = await written(server, 5)
    sealed = market(head)
    wrong = altered(sealed, at=Nanos(sealed.turn.at + 1))
    await inject(nc, wrong, id=sealed.id)
    if follower:
        await inject(nc, market(advance(head, sealed)).payload)
    await refused(server, ChainBroken, f"was stored as {sealed.id[:16]}")


@pytest.mark.parametrize("payload", [b"\x00", b"no turn", b""], ids=["byte", "text", "nothing"])
async def test_a_foreign_message_is_named(
    server: EmbeddedServer, nc: Client, payload: bytes
) -> None:
    """What is no turn at all is refused, with an id of its own and without."""
    await written(server, 5)
    await nc.jetstream().publish(DESK.market_subject, payload)
    await refused(server, ChainBroken, "stored as nothing")


async def test_an_unreadable_turn_is_named(server: EmbeddedServer, nc: Client) -> None:
    """Bytes that hash as they should and still are no turn, or hold an unknown event."""
    head, _ = await written(server, 5)
    sealed = market(head, "tag-of-the-future")
    unknown = sealed.payload.replace(b"\xa5timer", b"\xa5timex")
    assert unknown != sealed.payload
    await inject(nc, unknown)
    await refused(server, UnknownTag, "timex")
    after = Head(TurnNumber(6), Seq(8), sealed.turn.at, digest_of(unknown), head.orders_hash)
    await inject(nc, market(after).payload)
    with pytest.raises(UnknownTag, match="timex"):  # In the middle only reading shows it.
        await read_all(nc)


async def test_garbage_with_a_right_id_is_named(server: EmbeddedServer, nc: Client) -> None:
    """A message that is its own hash but no turn."""
    await written(server, 5)
    await inject(nc, b"\x93\x01\x02\x03")
    await refused(server, DecodeError, "cannot be read")


async def test_a_wrong_event_number_is_found_by_reading(server: EmbeddedServer, nc: Client) -> None:
    """Event numbers run without a gap; reading the events shows it."""
    head, _ = await written(server, 5)
    await inject(nc, altered(market(head), first=Seq(99)))
    with pytest.raises(ChainBroken, match="starts at event 99 instead of 8"):
        await read_all(nc)


def test_a_page_is_never_refused_without_a_reason() -> None:
    """Should the fast check ever refuse what the slow one accepts, that is a bug of ours."""
    sealed = market(START)
    words = f"HMSG {DESK.market_subject} 1 $JS.ACK.S.C.1.1.1.1.0".encode()
    frame = words, f"NATS/1.0\r\nNats-Msg-Id: {sealed.id}\r\n\r\n".encode(), sealed.payload
    walk = Walk("S", DESK.orders_subject, START)
    with pytest.raises(AssertionError, match="without a reason"):
        walk._diagnose([frame])
    assert walk.turns([frame]) == [sealed]
    assert walk.head == advance(START, sealed)


def test_turns_that_skip_a_sequence_are_a_hole() -> None:
    """Turn follows turn, but something stood between them and was taken away."""
    first = market(START)
    second = market(advance(START, first))
    frames = [
        (
            f"HMSG {DESK.market_subject} 1 $JS.ACK.S.C.1.{sequence}.1.1.0".encode(),
            f"NATS/1.0\r\nNats-Msg-Id: {sealed.id}\r\n\r\n".encode(),
            sealed.payload,
        )
        for sequence, sealed in ((1, first), (3, second))
    ]
    for page in (frames, frames[1:]):
        with pytest.raises(SequenceHole, match=r"turns? .* missing"):
            Walk("S", DESK.orders_subject, START).turns(page)
        with pytest.raises(SequenceHole, match=r"turns? .* missing"):
            Walk("S", DESK.orders_subject, START).links(page)


def test_a_sequence_is_read_with_and_without_a_domain() -> None:
    """Servers in a domain put two more words in front of it."""
    plain, domain = b"$JS.ACK.S.C.1.42.7.9.0", b"$JS.ACK.hub.acc.S.C.1.42.7.9.0"
    for reply in (plain, domain, domain + b".random"):
        assert sequence_of((b"HMSG a 1 " + reply, b"", b"")) == 42


async def test_a_deleted_turn_is_a_hole(server: EmbeddedServer, nc: Client) -> None:
    """The server itself lets nobody delete a turn; were it gone, it would be named."""
    await written(server, 5)
    with pytest.raises(APIError, match="message delete not permitted"):
        await nc.jetstream().delete_msg(DESK.session.name, 3)


async def test_an_archive_is_compared(server: EmbeddedServer) -> None:
    """The log must hold the turn the archive ends with, unless that was trimmed."""
    head, done = await written(server, 6)
    third = seal(START, Nanos(1), [], [done[0].turn.decisions[0]])
    options = LogOptions(archived=head)
    async with opened(server, options) as log:
        assert (log.found.first, log.found.base.number, log.found.head) == (1, 0, head)
    wrong = msgspec.structs.replace(head, hash=third.hash)
    with pytest.raises(ChainBroken, match="the archive knows"):
        async with opened(server, LogOptions(archived=wrong)):
            pass
    beyond = msgspec.structs.replace(head, number=TurnNumber(8))
    with pytest.raises(TailLost, match="2 acknowledged turns are lost: the archive ends"):
        async with opened(server, LogOptions(archived=beyond)):
            pass


async def test_a_trimmed_log_needs_its_archive(server: EmbeddedServer, nc: Client) -> None:
    """After trimming, the archive vouches for what is gone, and the chain goes on from it."""
    head = START
    heads = []
    async with opened(server) as log:
        done = await fill(log, 9)
        await log._reader.copied(log.head, 5.0)  # Else trimming takes turns from the copy too.
    for sealed in done:
        head = advance(head, sealed)
        heads.append(head)
    await ask(nc, f"STREAM.PURGE.{DESK.session.name}", {"seq": 5})
    with pytest.raises(SequenceHole, match="turns 1 to 4 are missing at the beginning"):
        async with opened(server):
            pass
    for archived in heads[3:]:
        async with opened(server, LogOptions(archived=archived)) as log:
            assert (log.head, log.found.first, log.found.base) == (head, 5, archived)
            assert [each async for each in log.read(TurnNumber(6))] == done[6:]
            assert [each async for each in log.read_orders()] == done[::3]
            with pytest.raises(SequenceHole, match="turn 2 is not there"):
                await anext(aiter(log.read(TurnNumber(2))))
    with pytest.raises(SequenceHole, match="turns 4 to 4 are missing"):
        async with opened(server, LogOptions(archived=heads[2])):
            pass
    await ask(nc, f"STREAM.PURGE.{DESK.session.name}", {"seq": 8})  # No orders are left.
    assert (await LogView.open(nc, DESK)).head == head
    older = LogOptions(archived=heads[7], checked_by_read=True, older=lambda: iter(done[:8]))
    for after in (8, 0, 3):  # Each first read makes the log whole, and the archive fills it up.
        async with opened(server, older) as log:
            assert [each async for each in log.read(TurnNumber(after))] == done[after:]
            assert log._whole
    async with opened(server, LogOptions(archived=heads[7], checked_by_read=True)) as log:
        assert [each async for each in log.read(TurnNumber(8))] == done[8:]
        done += await fill(log, 4)
        assert [each async for each in log.read(TurnNumber(8))] == done[8:]
    view = await LogView.open(nc, DESK)
    assert view.head == log.head


async def test_a_verified_part_is_not_read_again(server: EmbeddedServer, nc: Client) -> None:
    """Only what follows a verified position is checked, but the position itself must be there."""
    head, done = await written(server, 5)
    await inject(nc, altered(market(head), first=Seq(99), at=Nanos(0)))
    sixth = await nc.jetstream().get_msg(DESK.session.name, 6)
    assert sixth.data is not None
    trusted = headers_of(unseal(sixth.data))
    trusted = msgspec.structs.replace(trusted, orders_hash=head.orders_hash)
    async with opened(server, LogOptions(verified=trusted)) as log:
        assert (log.found.base, log.head) == (trusted, trusted)
        await fill(log, 1)
    await refused(server, ChainBroken, "starts at event 99")
    elsewhere = msgspec.structs.replace(trusted, hash=done[0].hash)
    with pytest.raises(ChainBroken, match="the verified part knows"):
        async with opened(server, LogOptions(verified=elsewhere)):
            pass


@pytest.mark.parametrize("after", [0, 4, 6, 7, 99])
async def test_the_first_read_checks_all_wherever_it_begins(
    server: EmbeddedServer, nc: Client, after: int
) -> None:
    """A log that was opened unchecked does not open up by reading its end alone."""
    head, _ = await written(server, 4)
    for _ in range(3):
        forged = unseal(altered(market(head), previous=head.orders_hash[::-1]))
        await inject(nc, forged.payload)
        head = advance(head, forged)
    async with opened(server, LogOptions(checked_by_read=True)) as log:
        with pytest.raises(ChainBroken, match="turn 5 names"):
            _ = [sealed async for sealed in log.read(TurnNumber(after))]
        with pytest.raises(AssertionError, match="read it to its end"):
            await log.append(market(log.head))


async def test_the_end_that_is_written_from_is_the_end_that_was_read(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that names another last turn of the orders' kind does not lead the writer astray."""
    async with opened(server) as log:
        done = await fill(log, 9)

    async def stale(_reader: Reader, _number: TurnNumber) -> bytes:
        return done[0].hash

    monkeypatch.setattr(Reader, "_orders_hash_at", stale)
    async with opened(server, LogOptions(checked_by_read=True)) as log:
        with pytest.raises(ChainBroken, match="told of another end than turn 9"):
            _ = [sealed async for sealed in log.read()]
        with pytest.raises(AssertionError, match="read it to its end"):
            await log.append(market(log.head))


async def test_an_observer_reads_beside_the_writer(server: EmbeddedServer) -> None:
    """With a reader's rights the log is read and checked while it is being written."""
    nc = await connect(server.reader)
    with pytest.raises(SessionError, match="no log of desk test"):
        await LogView.open(nc, DESK)
    async with opened(server) as log:
        view = await LogView.open(nc, DESK)
        assert (view.head, [each async for each in view.read()]) == (START, [])
        done = await fill(log, 8)
        assert await view.refresh() == log.head
        assert [each async for each in view.read()] == done
        assert [each async for each in view.read(TurnNumber(5))] == done[5:]
        assert [each async for each in view.read(TurnNumber(9))] == []
        assert [each async for each in view.read_orders()] == done[::3]
        assert (await view.check(Known(mark=log.head))).beyond_mark == 0
        await fill(log, 2, "later")
        await log._reader.copied(log.head, 5.0)
        assert [each async for each in view.read()] == done
        assert [each async for each in view.read_orders()] == done[::3]
        await view.refresh()
        with pytest.raises(LogDamaged):
            await view.check(Known(mark=msgspec.structs.replace(log.head, number=TurnNumber(11))))
        await view.close()
    await close(nc)
