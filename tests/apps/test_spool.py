"""What left while the log was away is written down first, and told to the log once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mm.apps import outage
from mm.apps.spool import Spool
from mm.errors import LogDamaged, LogFull, LogUnavailable, SessionError
from mm.events.orders import CancelOrder, OrderSubmitted
from mm.events.session import NoteTaken
from mm.events.units import InstrumentId, Nanos, OrderId, TurnNumber
from mm.log.chain import START, seal
from mm.log.memory import MemoryLog
from tests.apps.stage import Stage

if TYPE_CHECKING:
    from mm.errors import LogError
    from mm.events.vocabulary import Fact
    from mm.log.chain import Sealed


def left(number: int) -> Fact:
    """A cancel that left."""
    return OrderSubmitted(
        order_id=OrderId(f"o{number}"),
        instrument=InstrumentId(1),
        command="cancel",
        sent=Nanos(number),
    )


def test_what_is_kept_is_found_by_the_next_process(tmp_path: Path) -> None:
    """Facts survive the process that kept them, in order, those of two outages too."""
    spool = Spool(tmp_path / "spool")
    spool.keep([left(1), left(2)], TurnNumber(5))
    spool.keep([left(3)], TurnNumber(9))
    assert Spool(tmp_path / "spool").owed == (left(1), left(2), left(3))


def test_the_file_is_there_only_while_something_is_owed(tmp_path: Path) -> None:
    """What a turn holds is owed no more; with the last of it the file goes."""
    path = tmp_path / "spool"
    spool = Spool(path)
    assert not path.exists()
    spool.keep([left(1), left(2)], TurnNumber(5))
    spool.settle([left(7), left(1)])
    assert spool.owed == (left(2),)
    assert Spool(path).owed == (left(2),)
    spool.settle([left(2)])
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backtest owes its log nothing that outlives it."""
    monkeypatch.chdir(tmp_path)
    spool = Spool(None)
    spool.keep([left(1)], TurnNumber(0))
    assert spool.owed == (left(1),)
    spool.settle([left(1)])
    assert not spool.owed
    assert list(tmp_path.iterdir()) == []


async def test_what_the_log_holds_already_is_not_told_twice(tmp_path: Path) -> None:
    """The process died between storing the turn and the spool: only the rest is owed."""
    log = MemoryLog()
    await log.append(seal(START, Nanos(1), [NoteTaken(who="test", text="before")], []))
    await log.append(seal(log.head, Nanos(2), [left(1)], []))
    spool = Spool(tmp_path / "spool")
    spool.keep([left(1), left(2)], TurnNumber(1))
    again = Spool(tmp_path / "spool")
    await again.reconsider(log)
    assert again.owed == (left(2),)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
def test_a_damaged_spool_is_refused(tmp_path: Path, damage: str) -> None:
    """It is named, with what to do; nothing is guessed."""
    path = tmp_path / "spool"
    Spool(path).keep([left(1)], TurnNumber(5))
    raw = bytearray(path.read_bytes())
    if damage == "flip":
        raw[-3] ^= 1
    changed = {"cut": raw[:-1], "flip": raw, "empty": b"", "foreign": b"hello" * 20}[damage]
    path.write_bytes(bytes(changed))
    with pytest.raises(LogDamaged, match="spool of cancels") as caught:
        Spool(path)
    assert str(path) in caught.value.where
    assert "move it away" in caught.value.remedy


class Dies:
    """A log that is away from the first turn that finds two orders at rest, for ever."""

    stage: Stage

    def __init__(self, why: LogError | None = None) -> None:
        """Choose what it raises."""
        self.why = why or LogUnavailable("away")

    def __call__(self, _sealed: Sealed, _times: int) -> LogError | None:
        """Away, once two orders rest."""
        resting = [order for order in self.stage.engine.state.orders.live if order.resting]
        return self.why if len(resting) >= 2 else None


async def test_a_cancel_is_on_the_spool_before_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment of each emergency cancel the file already names its order."""
    monkeypatch.setattr(outage, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.0)
    path = tmp_path / "spool"
    trouble = Dies()
    stage = trouble.stage = Stage(trouble, spool=Spool(path))
    gateway: Any = stage.runner._gateway
    send, named = gateway.send, []

    def look(at: Nanos, intent: Any) -> Any:
        if isinstance(intent, CancelOrder) and intent.reason == "log unavailable":
            owed = [fact for fact in Spool(path).owed if isinstance(fact, OrderSubmitted)]
            named.append(intent.order_id in [fact.order_id for fact in owed])
        return send(at, intent)

    gateway.send = look
    with pytest.raises(LogUnavailable):
        await stage.play()
    assert len(named) >= 2
    assert all(named)


def full(path: Path) -> None:
    """From now on the disk has no room for a spool."""
    path.with_suffix(".draft").symlink_to("/dev/full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize(
    ("why", "kind"),
    [(LogFull("the disk is full"), LogFull), (LogUnavailable("away"), SessionError)],
)
async def test_cancels_leave_though_the_spool_cannot_be_written(
    tmp_path: Path, why: LogError, kind: type[Exception]
) -> None:
    """A full disk takes log and spool alike: every order is canceled, then the file is named."""
    trouble = Dies(why)
    stage = trouble.stage = Stage(trouble, spool=Spool(tmp_path / "spool"))
    full(tmp_path / "spool")
    with pytest.raises(kind, match="cancels that left are not written down") as caught:
        await stage.play()
    assert str(tmp_path / "spool") in str(caught.value)
    canceled = {each.order_id for each in stage.sent if isinstance(each, CancelOrder)}
    resting = {each.order_id for each in stage.engine.state.orders.live if each.resting}
    assert len(resting) >= 2
    assert resting <= canceled


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_what_cannot_be_struck_off_is_no_reason_to_end(tmp_path: Path) -> None:
    """The file goes on naming what the log has; that is held against the log at the next start."""
    spool = Spool(tmp_path / "spool")
    spool.keep([left(1), left(2)], TurnNumber(5))
    full(tmp_path / "spool")
    spool.settle([left(1)])
    assert spool.owed == (left(2),)
    assert Spool(tmp_path / "spool").owed == (left(1), left(2))


def test_a_spool_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Whatever lies in its place: a typed error with the path, not a traceback."""
    (tmp_path / "spool").mkdir()
    with pytest.raises(SessionError, match="cannot be read") as caught:
        Spool(tmp_path / "spool")
    assert caught.value.where == str(tmp_path / "spool")


async def test_the_next_session_tells_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a session that died in the outage the next one records its cancels, and quotes."""
    monkeypatch.setattr(outage, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.0)
    path = tmp_path / "spool"
    trouble = Dies()
    stage = trouble.stage = Stage(trouble, spool=Spool(path))
    with pytest.raises(LogUnavailable):
        await stage.play()
    owed = Spool(path).owed
    assert len(owed) >= 3
    assert isinstance(owed[0], NoteTaken)
    again = Stage(messages=100, spool=Spool(path))
    await again.play()
    assert again.turns[1].turn.facts == owed
    assert not path.exists()
    assert again.sent


async def test_an_outage_that_ends_leaves_no_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The facts are in a turn and the file is gone, in the same session."""
    monkeypatch.setattr(outage, "RETRY_SECONDS", 0.0)
    path = tmp_path / "spool"
    seen: list[bool] = []

    class Short(Dies):
        """Away for two offers of one turn."""

        turn: Sealed | None = None

        def __call__(self, sealed: Sealed, times: int) -> LogError | None:
            error = super().__call__(sealed, times) if self.turn is None else None
            self.turn = sealed if error is not None else self.turn
            if times:
                seen.append(path.exists())
            mine = self.turn is not None and self.turn.hash == sealed.hash
            return LogUnavailable("away") if mine and times < 2 else None

    trouble = Short()
    stage = trouble.stage = Stage(trouble, spool=Spool(path))
    await stage.play()
    assert seen == [True, True]
    assert not path.exists()
    told = [fact for fact in stage.facts if isinstance(fact, NoteTaken)]
    assert len(told) == 1
