"""`mm log check`: a whole log passes, and every kind of damage is named by turn and sequence."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from mm.apps import serving, snapshots
from mm.apps.sessions import DeskFiles
from mm.engine.core import Engine
from mm.log import streams
from mm.log.access import from_environment
from mm.log.chain import advance
from mm.log.connection import close, connect
from mm.log.jetstream import JetStreamLog, LogOptions
from mm.log.mark import Mark, remembered
from mm.log.reader import Reader
from mm.log.server import EmbeddedServer
from mm.log.store import Store
from mm.log.wire import ask, attach
from tests.apps.desks import ENDED, Cli, append, archive, desk, head_of, session, stored
from tests.log.foreign import jetstream, nats_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from nats.aio.client import Client

    from mm.log.chain import Head, Sealed

TURNS: Final = session(30, ENDED)
EVENTS: Final = sum(sealed.turn.size for sealed in TURNS)
ORDERS: Final = [sealed for sealed in TURNS if sealed.turn.previous_orders]
OTHER: Final = session(20, ENDED)
LAST: Final = len(TURNS)


@pytest.fixture
def mm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, without the caller's environment, and impatient."""
    for name in ("MM_DATA", "NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(serving, "COPY_SECONDS_MAX", 1.0)
    limits = msgspec.structs.replace(serving.PAGES, silence_seconds_max=0.5)
    monkeypatch.setattr(serving, "PAGES", limits)
    return Cli(capsys)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk whose archive ends at turn 60; copied before it is damaged."""
    return desk(tmp_path_factory.mktemp("check") / "whole", TURNS, archived=60)


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    """A copy of that desk."""
    return shutil.copytree(original, tmp_path / "whole")


def flip(file: Path, at: float = 0.5) -> None:
    """Flip one bit."""
    content = bytearray(file.read_bytes())
    content[int(len(content) * at)] ^= 1
    file.write_bytes(content)


def block(root: Path, stream: str = "MM_whole") -> Path:
    """The last block file of a stream."""
    return max(DeskFiles(root).store.glob(f"jetstream/**/streams/{stream}/msgs/*.blk"))


# -- whole -------------------------------------------------------------------------------------


def test_a_whole_desk_passes(mm: Cli, root: Path) -> None:
    """Every place is compared, and how much of it is told."""
    found = mm.json("log", "check", root)
    assert mm.code == 0
    assert (found["turns"], found["events"]) == (LAST, EVENTS)
    assert found["bytes"] == sum(len(sealed.payload) for sealed in TURNS)
    assert found["head"] == TURNS[-1].id
    assert found["stream_turns"] == LAST
    assert found["copy_turns"] == len(ORDERS)
    assert found["archive"]["turns"] == 60
    assert found["archive"]["files"] == len(list((root / "archive").rglob("*.parquet")))
    assert found["mark"] == LAST
    assert not found["running"]


def test_a_recording_passes(mm: Cli, tmp_path: Path) -> None:
    """An archive alone is checked without a server."""
    found = mm.json("log", "check", archive(tmp_path / "rec", TURNS[:1], kind="recording"))
    assert mm.code == 0
    assert (found["turns"], found["stream_turns"], found["mark"]) == (1, None, None)


def test_people_are_told_what_was_compared(mm: Cli, root: Path) -> None:
    """One line a place, the verdict first, the speed on stderr."""
    text = mm("log", "check", root)
    assert text.startswith("whole: ")
    for word in ("hash", "link", "event numbers", "order of time", "subject", "copy", "mark"):
        assert word in text
    assert "events/s" in mm.err
    DeskFiles(root).mark.unlink()
    assert "mark     none" in mm("log", "check", root)


def test_a_running_session_is_checked_as_far_as_it_is(mm: Cli, tmp_path: Path) -> None:
    """Its own server is asked, which goes on running."""

    async def checked() -> dict[str, Any]:
        await stored(tmp_path / "whole", TURNS)
        async with EmbeddedServer(tmp_path / "whole" / "store", sync="2m") as server:
            found = await asyncio.to_thread(mm.json, "log", "check", tmp_path / "whole")
            assert server.running
        return found

    found = asyncio.run(checked())
    assert mm.code == 0
    assert (found["running"], found["turns"]) == (True, LAST)


@asynccontextmanager
async def served(root: Path) -> AsyncIterator[Client]:
    """The store, open to a writer."""
    async with EmbeddedServer(DeskFiles(root).store, sync="2m") as server:
        nc = await connect(server.access)
        yield nc
        await close(nc)


async def trimmed(root: Path, first: int) -> None:
    """Purge everything before a turn from the stream, once the copy has come that far."""
    async with served(root) as nc:
        await Reader(await attach(nc), streams.load(root.name)).copied(head_of(TURNS), 10)
        await ask(nc, "STREAM.PURGE.MM_whole", {"seq": first})


def test_what_was_trimmed_is_checked_in_the_archive(mm: Cli, root: Path) -> None:
    """The archive's turns and the stream's rest make one whole log, which reads as one too."""
    asyncio.run(trimmed(root, 41))
    found = mm.json("log", "check", root)
    assert mm.code == 0
    assert (found["turns"], found["stream_turns"], found["copy_turns"]) == (LAST, 56, len(ORDERS))
    assert len(mm.json("log", "show", root, "--limit", 5_000)) == EVENTS


# -- damage ------------------------------------------------------------------------------------


def refused(mm: Cli, root: Path, *words: str) -> str:
    """The check fails with 4, and says all of this; returns the error's name."""
    document = mm.json("log", "check", root)
    said = f"{document['what']} {document['where']} {document['remedy']}"
    assert mm.code == document["exit_code"] == 4
    for word in words:
        assert word in said, said
    assert "Traceback" not in mm.err
    return str(document["error"])


def test_a_trimmed_log_without_its_archive_is_not_whole(mm: Cli, root: Path) -> None:
    """What was purged and never archived is missing, from where to where."""
    asyncio.run(trimmed(root, 71))
    assert refused(mm, root, "turns 61 to 70 are missing", "sequence 71") == "SequenceHole"


def test_an_archive_file_is_held_against_its_hash(mm: Cli, root: Path) -> None:
    """A flipped bit in any file of the archive names the file and its turns."""
    for file in sorted((root / "archive").rglob("*-trade.parquet"))[:2]:
        before = file.read_bytes()
        flip(file)
        assert refused(mm, root, file.name, "turns ") == "LogDamaged"
        file.write_bytes(before)
    file.unlink()
    assert refused(mm, root, file.name, "cannot be read") == "LogDamaged"


def test_a_changed_manifest_is_found(mm: Cli, root: Path) -> None:
    """The manifest has a checksum of its own."""
    manifest = root / "archive" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"rows": ', '"rows": 1', 1))
    assert refused(mm, root, "manifest") == "LogDamaged"


BLOCK_DAMAGE: Final[dict[str, Callable[[Path], None]]] = {
    "flipped early": lambda file: flip(file, 0.1),
    "flipped late": lambda file: flip(file, 0.9),
    "cut": lambda file: os.truncate(file, file.stat().st_size - 700),
    "emptied": lambda file: os.truncate(file, 0),
}


@pytest.mark.parametrize("damage", BLOCK_DAMAGE)
def test_a_damaged_store_is_found(mm: Cli, root: Path, damage: str) -> None:
    """Whatever happened to the server's block file: turns are named, and what is still whole."""
    BLOCK_DAMAGE[damage](block(root))
    refused(mm, root, "turn", "do not trade on this log", "the archive holds turns 1 to 60")


def test_a_lost_stream_is_a_lost_tail(mm: Cli, root: Path) -> None:
    """A server that knows no such stream has lost what the mark remembers."""
    shutil.rmtree(DeskFiles(root).store / "jetstream")
    assert refused(mm, root, f"turns 1 to {LAST} are lost", "the mark") == "TailLost"


def test_turns_lost_at_the_end_are_counted(mm: Cli, root: Path, tmp_path: Path) -> None:
    """A log that is shorter than its mark, or its archive, says which turns are gone."""
    mark = Mark.open(DeskFiles(root).mark)
    longer = advance(head_of(TURNS), session(31)[-1])
    mark.write(longer)
    asyncio.run(mark.close())
    assert refused(mm, root, "are lost", f"turns 1 to {LAST} are whole") == "TailLost"
    short = desk(tmp_path / "short", TURNS[:50])
    DeskFiles(short).mark.unlink()
    shutil.rmtree(DeskFiles(short).archive)
    archive(DeskFiles(short).archive, TURNS, name="short")
    lost = f"turns 51 to {LAST} are lost: the archive"
    assert refused(mm, short, lost, "after sequence 50") == "TailLost"


def test_another_log_is_told_from_ours(mm: Cli, tmp_path: Path) -> None:
    """An archive or a mark of another log does not pass for this one's."""
    asyncio.run(stored(tmp_path / "whole", TURNS))
    files = DeskFiles(tmp_path / "whole")
    archive(files.archive, OTHER[:60], name="whole")
    different = next(n for n, pair in enumerate(zip(TURNS, OTHER, strict=False), 1) if differ(pair))
    what = f"turn {different} is {TURNS[different - 1].id[:16]}, but the archive knows"
    assert refused(mm, tmp_path / "whole", what, f"sequence {different}") == "ChainBroken"
    shutil.rmtree(files.archive)
    files.mark.unlink()
    mark = Mark.open(files.mark)
    mark.write(head_of(OTHER[:60]))
    asyncio.run(mark.close())
    assert remembered(files.mark) == head_of(OTHER[:60])
    assert refused(mm, tmp_path / "whole", "turn 60 is", "but the mark knows") == "ChainBroken"


def differ(pair: tuple[Sealed, Sealed]) -> bool:
    """Whether two turns are not the same."""
    return pair[0].hash != pair[1].hash


async def by_hand(root: Path, copy: list[Sealed]) -> None:
    """A store whose copy of the orders' turns holds what we choose."""
    declared = streams.load(root.name)
    async with served(root) as nc:
        await ask(nc, f"STREAM.CREATE.{declared.session.name}", dict(declared.session.config))
        config: dict[str, Any] = {"name": declared.orders.name, "subjects": ["copy"]}
        config |= {"storage": "file", "allow_direct": True}
        await ask(nc, f"STREAM.CREATE.{declared.orders.name}", config)
        subjects = declared.market_subject, declared.orders_subject
        for sealed in TURNS:
            await put(nc, subjects[bool(sealed.turn.previous_orders)], sealed)
        for sealed in copy:
            await put(nc, "copy", sealed)


async def put(nc: Client, subject: str, sealed: Sealed) -> None:
    """Publish a turn as its writer would."""
    await nc.request(subject, sealed.payload, headers={"Nats-Msg-Id": sealed.id}, timeout=5)


FORGED: Final = msgspec.structs.replace(ORDERS[5], payload=ORDERS[6].payload)
MISLED: Final = msgspec.structs.replace(ORDERS[5], hash=ORDERS[6].hash)
COPIES: Final = [
    ("lacks the last", ORDERS[:-1], "lacks turn", ORDERS[-1]),
    ("lacks one", [*ORDERS[:7], *ORDERS[8:]], "something else in the place of turn", ORDERS[7]),
    ("is empty", [], "lacks turn", ORDERS[0]),
    ("is another", [*ORDERS[:3], OTHER[-1], *ORDERS[3:]], "something else in the pl", ORDERS[3]),
    ("has another id", [*ORDERS[:5], MISLED, *ORDERS[6:]], "something else in the pl", ORDERS[5]),
    ("has other bytes", [*ORDERS[:5], FORGED, *ORDERS[6:]], "something else in the", ORDERS[5]),
]


@pytest.mark.parametrize(("copy", "what", "turn"), [each[1:] for each in COPIES],
                         ids=[each[0] for each in COPIES])  # fmt: skip
def test_the_copy_is_compared(
    mm: Cli, tmp_path: Path, copy: list[Sealed], what: str, turn: Sealed
) -> None:
    """A copy that lost or changed a turn is found, though the stream itself is whole."""
    asyncio.run(by_hand(tmp_path / "whole", copy))
    refused(mm, tmp_path / "whole", what, f"turn {turn.turn.number}", "MM_whole_ORDERS")


def test_a_copy_by_hand_passes_when_it_is_right(mm: Cli, tmp_path: Path) -> None:
    """What the tests above change is the only thing that is wrong there."""
    asyncio.run(by_hand(tmp_path / "whole", ORDERS))
    assert mm.json("log", "check", tmp_path / "whole")["copy_turns"] == len(ORDERS)


def test_a_locked_store_says_who_has_it(mm: Cli, root: Path) -> None:
    """A store that another process is about to serve is not fought over."""
    store = DeskFiles(root).store

    async def claimed() -> dict[str, Any]:
        store_of = Store.claim(store)
        try:
            return await asyncio.to_thread(mm.json, "log", "check", root)
        finally:
            store_of.release()

    document = asyncio.run(claimed())
    assert mm.code == 4
    assert document["error"] == "StoreLocked"
    assert str(os.getpid()) in document["what"]


# -- NATS_URL ----------------------------------------------------------------------------------


@pytest.fixture
def foreign(mm: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """NATS_URL names a server that is not ours, once the command line has forgotten all others."""
    assert mm.code == 0
    with nats_server(tmp_path, jetstream=jetstream(tmp_path)) as port:
        monkeypatch.setenv("NATS_URL", f"nats://127.0.0.1:{port}")
        yield


async def sent(root: Path, sealed: list[Sealed]) -> None:
    """A desk's log on NATS_URL's server, and its mark here."""
    way = from_environment(os.environ)
    assert way is not None
    nc = await connect(way)
    log = await JetStreamLog.open(
        nc, streams.load(root.name), LogOptions(mark=DeskFiles(root).mark)
    )
    await append(log, sealed)
    await log.close()
    await close(nc)


@pytest.mark.usefixtures("foreign")
def test_the_stream_of_another_server_is_checked(mm: Cli, tmp_path: Path) -> None:
    """Though there is an archive here, the log is there: stream, copy, archive and mark."""
    root = tmp_path / "far"
    root.mkdir()
    asyncio.run(sent(root, TURNS))
    archive(DeskFiles(root).archive, TURNS[:60], name="far")
    found = mm.json("log", "check", root)
    assert mm.code == 0
    assert (found["stream_turns"], found["copy_turns"]) == (LAST, len(ORDERS))
    assert (found["archive"]["turns"], found["mark"], found["turns"]) == (60, LAST, LAST)
    alone = mm.json("log", "check", DeskFiles(root).archive)
    assert (alone["turns"], alone["stream_turns"]) == (60, None)
    assert "no stream" in mm("log", "check", DeskFiles(root).archive)


@pytest.mark.usefixtures("foreign")
def test_a_server_without_the_log_has_lost_it(mm: Cli, tmp_path: Path) -> None:
    """An archive alone does not make a desk whole while a server is named for its log."""
    root = tmp_path / "gone"
    archive(DeskFiles(root).archive, TURNS, name="gone")
    assert refused(mm, root, f"turns 1 to {LAST} are lost", "the archive") == "TailLost"
    assert "NATS_URL" in mm.out


# -- the snapshot ------------------------------------------------------------------------------


def folded(count: int) -> tuple[Engine, Head]:
    """The engine after the first turns, and where the log stood then."""
    engine = Engine()
    for sealed in TURNS[:count]:
        engine.fold(sealed.turn)
    return engine, head_of(TURNS[:count])


def test_a_snapshot_is_held_against_a_full_fold(mm: Cli, root: Path) -> None:
    """One that agrees is kept; there may be none."""
    assert mm.json("log", "check", root)["snapshot"] is None
    assert "snapshot none" in mm("log", "check", root)
    path = DeskFiles(root).snapshot
    for turn in (50, LAST):
        snapshots.save(path, *folded(turn))
        before = path.read_bytes()
        assert mm.json("log", "check", root)["snapshot"] == {"turn": turn, "verdict": "agrees"}
        assert f"snapshot turn {turn}: " in mm("log", "check", root)
        assert path.read_bytes() == before


def test_a_snapshot_that_differs_is_thrown_away(mm: Cli, root: Path) -> None:
    """The log is whole: that is no damage, but it is said."""
    path = DeskFiles(root).snapshot
    engine, head = folded(50)
    other = folded(49)[0]
    other.resume(head.number, head.events, head.at)
    snapshots.save(path, other, head)
    found = mm.json("log", "check", root)
    assert mm.code == 0
    assert found["snapshot"] == {"turn": 50, "verdict": "differs"}
    assert not path.exists()
    assert engine.turns == other.turns
    snapshots.save(path, other, head)
    text = mm("log", "check", root)
    assert "snapshot turn 50: NOT the state of a full fold" in text
    assert "deleted" in text
    assert mm.code == 0


def test_a_snapshot_that_no_start_would_use_is_told(
    mm: Cli, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torn, of other code, or of another log: it stays where it is, and says nothing."""
    path = DeskFiles(root).snapshot
    engine, head = folded(50)

    def verdict() -> str:
        assert mm.json("log", "check", root)["snapshot"]["verdict"] in mm("log", "check", root)
        assert mm.code == 0
        assert path.exists()
        return str(mm.json("log", "check", root)["snapshot"]["verdict"])

    snapshots.save(path, engine, msgspec.structs.replace(head, hash=bytes(32)))
    assert verdict() == "another log"
    beyond = msgspec.structs.replace(head, number=LAST + 1)
    engine.resume(beyond.number, beyond.events, beyond.at)
    snapshots.save(path, engine, beyond)
    assert verdict() == "another log"
    path.write_bytes(path.read_bytes()[:-1])
    assert verdict() == "torn"
    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "fingerprint", lambda: "other")
        snapshots.save(path, *folded(50))
    assert verdict() == "other code"
