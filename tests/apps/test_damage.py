"""Damage to what is stored is found at the start, named, and never traded on.

The blocks are the server's own files, changed behind its back: after a clean stop, when it trusts
its index, and as after a kill -9, when it rebuilds the index from what it can read and says nothing
of the rest. In a storm the places are random.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pytest

from mm.apps.logs import turns
from mm.events.session import SessionStarted
from mm.log.archive import ArchiveWriter
from mm.log.chain import START, Sealed, advance, seal
from mm.log.mark import remembered
from tests.apps.fire import Fire
from tests.apps.processes import Ran, here, refused

STREAM: Final = "store/jetstream/$G/streams/MM_fire"
SEED: Final = int(os.environ.get("STORM_SEED", "20260801"))
Harm = Callable[[Path], None]


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Fire:
    """A desk of two sessions that ended in order."""
    fire = Fire(tmp_path_factory.mktemp("traded"))
    for _ in range(2):
        assert here(*fire.live("--seconds", 0.5)).returncode == 0
    return fire


@pytest.fixture
def desk(traded: Fire, tmp_path: Path) -> Path:
    """A copy of that desk, to be harmed."""
    shutil.copytree(traded.data, tmp_path / "data")
    return tmp_path / "data" / "fire"


def block(desk: Path, stream: str = STREAM) -> Path:
    """The last block of a stream."""
    return max((desk / stream / "msgs").glob("*.blk"))


def flip(share: float, bit: int = 3) -> Harm:
    """Flip one bit at this share of the last block."""

    def harm(desk: Path) -> None:
        raw = bytearray(block(desk).read_bytes())
        raw[int(share * (len(raw) - 1))] ^= 1 << bit
        block(desk).write_bytes(bytes(raw))

    return harm


def cut(count: int) -> Harm:
    """Cut bytes off the last block."""

    def harm(desk: Path) -> None:
        block(desk).write_bytes(block(desk).read_bytes()[:-count])

    return harm


def remove(name: str) -> Harm:
    """Remove a file or a folder of the desk."""

    def harm(desk: Path) -> None:
        path = desk / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return harm


def unindexed(then: Harm) -> Harm:
    """The same harm where the server has to rebuild its index."""

    def harm(desk: Path) -> None:
        (desk / STREAM / "msgs" / "index.db").unlink(missing_ok=True)
        then(desk)

    return harm


def start(traded: Fire, desk: Path) -> Ran:
    """Try to trade on it."""
    return here("live", traded.config, "--paper", "--data", desk.parent, "--seconds", 0.2)


HARMS: Final[dict[str, tuple[Harm, str]]] = {
    "a bit in the middle": (flip(0.5), "SequenceHole: turn"),
    "a bit in the last turn": (flip(0.9999), "SequenceHole: turn"),
    "a byte cut off": (cut(1), "SequenceHole: turn"),
    "a bit in the middle, index rebuilt": (unindexed(flip(0.4)), "TailLost: "),
    "a byte cut off, index rebuilt": (unindexed(cut(1)), "TailLost: 1 acknowledged turn is lost"),
    "much cut off, index rebuilt": (unindexed(cut(5_000)), "TailLost: "),
    "the block gone": (lambda desk: block(desk).unlink(), "SequenceHole"),
    "the stream's description gone": (remove(f"{STREAM}/meta.inf"), "TailLost: "),
    "the stream gone": (remove(STREAM), "TailLost: "),
    "all streams gone": (remove("store/jetstream"), "TailLost: "),
}
SLOW: Final = ("a bit in the middle",)
"""Here a reader waits for turns that the server still counts, and only then gives up."""


@pytest.mark.parametrize("case", HARMS)
def test_damage_is_named_and_not_traded_on(case: str, traded: Fire, desk: Path) -> None:
    """Exit code 4: what is damaged and where; nobody says that such a log is verified."""
    harm, words = HARMS[case]
    harm(desk)
    before = kept(desk)
    refused(start(traded, desk), 4, words, "MM_fire")
    if case not in SLOW:
        refused(here("replay", "verify", desk), 4)
    assert kept(desk) == before, "the start changed what it refused"
    assert not list(desk.glob("spool"))


def kept(desk: Path) -> dict[str, Any]:
    """What must stay as it is for whoever repairs it: mark and archive."""
    files = [path for path in (desk / "archive").rglob("*") if path.is_file()]
    return {"mark": remembered(desk / "mark"), **{str(path): path.read_bytes() for path in files}}


@pytest.mark.parametrize("case", ["a byte cut off, index rebuilt", "all streams gone"])
def test_a_check_says_what_is_left(case: str, desk: Path) -> None:
    """`mm log check` names the damage too, and what the archive still holds."""
    HARMS[case][0](desk)
    refused(here("log", "check", desk), 4, "the archive holds turns 1 to")


def test_a_store_from_a_backup_is_an_older_log(traded: Fire, desk: Path, tmp_path: Path) -> None:
    """Whole in itself, yet behind the mark: what was acknowledged since is missing."""
    shutil.copytree(desk / "store", tmp_path / "backup")
    assert start(traded, desk).returncode == 0
    shutil.rmtree(desk / "store")
    shutil.copytree(tmp_path / "backup", desk / "store")
    refused(start(traded, desk), 4, "TailLost", "ask the venue")


def test_an_index_that_is_gone_is_no_damage(traded: Fire, desk: Path) -> None:
    """The server rebuilds it from whole blocks, and trading goes on."""
    (desk / STREAM / "msgs" / "index.db").unlink()
    ran = start(traded, desk)
    assert ran.returncode == 0, ran.stderr


def test_without_a_mark_the_start_says_so(traded: Fire, desk: Path) -> None:
    """The archive still vouches for its part; of the rest nobody could have known."""
    (desk / "mark").unlink()
    ran = start(traded, desk)
    assert ran.returncode == 0, ran.stderr
    assert "there was no mark" in ran.stderr


def test_a_torn_mark_is_named(traded: Fire, desk: Path) -> None:
    """A mark of which no slot is whole stops the start."""
    (desk / "mark").write_bytes(b"\x01" * (desk / "mark").stat().st_size)
    refused(start(traded, desk), 4, "no slot of the mark is whole", str(desk / "mark"))


def test_a_byte_in_the_archive_is_named(desk: Path) -> None:
    """A flipped byte in any file of it: the check and the verification name the file."""
    archive = desk / "archive"
    for path in sorted(archive.rglob("*order_place.parquet")):
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(bytes(raw))
    refused(here("log", "check", archive), 4, "order_place.parquet")
    refused(here("replay", "verify", archive), 4, "order_place.parquet")


def read(desk: Path) -> list[Sealed]:
    """Every turn of a log."""

    async def everything() -> list[Sealed]:
        return [sealed async for sealed in turns(desk)]

    return asyncio.run(everything())


def forged(path: Path, original: list[Sealed], change: Callable[[Sealed], Any]) -> Path:
    """Another log whose chain holds: each turn as `change` gives its facts and decisions."""
    head = START
    with ArchiveWriter(path, name="forged", kind="session") as writer:
        for sealed in original:
            changed = change(sealed)
            if changed is not None:
                again = seal(head, sealed.turn.at, *changed)
                writer.append(again)
                head = advance(head, again)
    return path


def same(sealed: Sealed) -> Any:
    """A turn as it is."""
    return sealed.turn.facts, sealed.turn.decisions


def test_an_unchanged_copy_verifies(desk: Path, tmp_path: Path) -> None:
    """Sealed again without a change it is the same log, to the hash."""
    original = read(desk)
    ran = here("replay", "verify", forged(tmp_path / "copy", original, same))
    assert ran.returncode == 0, ran.stderr
    assert original[-1].id in ran.stdout


def test_one_changed_parameter_is_named(desk: Path, tmp_path: Path) -> None:
    """Half a spread of 0.5 instead of 0.4 in the config: the first order it changes is shown."""

    def change(sealed: Sealed) -> Any:
        facts, decisions = same(sealed)
        if isinstance(facts[0], SessionStarted):
            config = json.loads(facts[0].config)
            config["strategies"]["maker"]["half_spread_bps"] = 0.8
            changed = msgspec.structs.replace(facts[0], config=json.dumps(config))
            facts = (changed, *facts[1:])
        return facts, decisions

    ran = here("replay", "verify", forged(tmp_path / "changed", read(desk), change))
    refused(ran, 1, "ReplayDiverged", "order.place")
    assert "price" in ran.stdout
    assert "because of event" in ran.stdout


def test_one_dropped_turn_is_named(desk: Path, tmp_path: Path) -> None:
    """A turn of the market is left out and the chain mended: the decisions give it away."""
    original = read(desk)
    quiet = [each for each in original[20:] if not each.turn.touches_orders]
    dropped = quiet[0].turn.number
    assert len(original) > dropped + 20

    def change(sealed: Sealed) -> Any:
        return None if sealed.turn.number == dropped else same(sealed)

    ran = here("replay", "verify", forged(tmp_path / "dropped", original, change))
    refused(ran, 1, "ReplayDiverged", "decides otherwise")
    assert "first difference: turn" in ran.stdout


@pytest.mark.storm
@pytest.mark.parametrize("ending", ["clean", "killed"])
def test_random_damage_is_never_traded_on(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forty flips and cuts at random places of the session's blocks, all found."""
    random = Random(f"{SEED}/{ending}")
    fire = Fire(tmp_path)
    with fire.trading("--seconds", 0) as process:
        fire.wait(process, lambda seen: seen.last > 400)
        if ending == "killed":
            os.kill(fire.server(), signal.SIGKILL)
            process.kill()
        else:
            process.send_signal(signal.SIGINT)
        process.wait(60)
    found = {"SequenceHole": 0, "TailLost": 0, "ChainBroken": 0, "DecodeError": 0}
    for number in range(40):
        case = tmp_path / f"{number}"
        shutil.copytree(fire.data, case)
        size = block(case / "fire").stat().st_size
        harm = (
            flip(random.random(), random.randrange(8))
            if random.random() < 0.7
            else cut(random.randint(1, size // 2))
        )
        harm(case / "fire")
        ran = start(fire, case / "fire")
        assert ran.returncode == 4, f"seed {SEED}, {ending} {number}: {ran.stderr}"
        found[ran.stderr.partition(":")[0]] += 1
        shutil.rmtree(case)
    with capsys.disabled():
        print(f"\nseed {SEED}: 40 damages after a {ending} end, found as {found}")  # noqa: T201
