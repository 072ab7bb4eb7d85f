"""A feed becomes a recording, message by message, the same at every pace."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm.events.instrument import InstrumentDefined
from mm.events.market import FeedUp
from mm.events.units import InstrumentId, Nanos
from mm.gateways import feed_recording
from mm.gateways.base import Message
from mm.gateways.feed_recording import FeedRecording, Pace
from mm.gateways.recorded import RecordedFeed
from mm.gateways.recorder import Recorder
from mm.gateways.recordings import new_recording
from tests.gateways.lines import Turns, capture, imported, usdm, write


class Ticking:
    """A feed of one message every 100 ms, for ever."""

    instruments: tuple[InstrumentDefined, ...] = (usdm(),)

    def messages(self, after: Nanos) -> Iterator[Message]:
        """One fact each."""
        at = Nanos(after + 1_000_000_000)
        while True:
            up = FeedUp(instrument=InstrumentId(0), received=at, channel="market")
            yield Message(at, (up,))
            at = Nanos(at + 100_000_000)


def silent(_seconds: float) -> None:
    """Nobody hears of progress."""


def test_duration() -> None:
    """As much of the feed's time is recorded as was asked for, the instruments first."""
    turns = Turns()
    heard: list[float] = []
    source = FeedRecording(Ticking(), Nanos(1_000_000_000))
    source.run(Recorder(turns), heard.append)
    assert isinstance(turns.facts[0], InstrumentDefined)
    assert len(turns.turns) == 1 + 11
    assert sum(heard) == pytest.approx(1.0)
    assert source.report()[0]["messages"] == 11


def test_recording_of_a_recording(tmp_path: Path) -> None:
    """A recording recorded again holds the same turns, hash for hash."""
    _, wanted = imported(write(tmp_path / "capture", capture(diffs=20)[1]))
    with new_recording(tmp_path / "first") as writer:
        for sealed in wanted.sealed:
            writer.append(sealed)
    again = Turns()
    FeedRecording(RecordedFeed(tmp_path / "first"), None).run(Recorder(again), silent)
    assert [each.hash for each in again.sealed] == [each.hash for each in wanted.sealed]


def test_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a speed of 10, ten messages a second come in a tenth of their time."""
    clock = {"now": 50.0}

    def sleep(seconds: float) -> None:
        clock["now"] += seconds

    module: Any = feed_recording
    monkeypatch.setattr(module.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(module.time, "sleep", sleep)
    turns = Turns()
    FeedRecording(Ticking(), Nanos(5_000_000_000), Pace(10)).run(Recorder(turns), silent)
    assert clock["now"] == pytest.approx(50.5)
    assert len(turns.turns) == 1 + 51


def test_stop() -> None:
    """A stop ends the recording between two messages, also while nothing is due."""
    turns = Turns()
    source = FeedRecording(Ticking(), None, Pace(0.001))
    recorder = Recorder(turns)

    class Stopping(Recorder):
        """Stops the source at the third turn."""

        def turn(self, at: Nanos, facts: Any) -> None:
            """Count and stop."""
            recorder.turn(at, facts)
            if recorder.head.number == 2:
                source.stop()

    source.run(Stopping(turns), silent)
    assert source.stopped
    assert len(turns.turns) == 2
