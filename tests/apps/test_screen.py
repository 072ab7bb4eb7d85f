"""What a person sees fits the terminal, and says nothing that is not so."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live

from mm.apps import screen
from mm.apps.cli.output import Terminal
from mm.apps.picture import picture
from mm.apps.screen import Screen
from tests.apps.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY: Final[dict[str, Any]] = {"half_spread_bps": 0.15, "levels": 3}


async def drawn(monkeypatch: pytest.MonkeyPatch, width: int, *, paced: bool = True) -> list[str]:
    """The last picture of a busy session, as a terminal of that width shows it."""
    paper = io.StringIO()
    console = Console(
        file=paper, width=width, height=60, force_terminal=True, soft_wrap=True, highlight=False
    )
    monkeypatch.setattr(screen, "err", console)
    stage = Stage(messages=1_500, **BUSY)
    watched = Screen(stage.engine, "mm · paper · stage", 3_600, paced=paced)
    stage.runner.on_turn.append(watched.turn)
    await stage.play()
    watched.meter.events = 123_456_789
    flat = Console(file=io.StringIO(), width=width, height=60, record=True, soft_wrap=True)
    with Live(picture(watched.view(), "mm · paper · stage", flat), console=flat):
        pass
    return [line.rstrip() for line in flat.export_text().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 140])
async def test_the_picture_fits(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Down to 80 columns: the frame is closed on every line, and nothing is cut off."""
    lines = await drawn(monkeypatch, width)
    frame = [line for line in lines if line]
    assert frame[0].startswith("╭")
    assert frame[0].endswith("╮")
    assert all(line.endswith(("│", "╮", "╯")) for line in frame), "\n".join(frame)
    assert max(map(cell_len, frame)) <= width
    text = " ".join(" ".join(frame).replace("│", " ").split())
    for words in ("latest fills", "sell", "position", "= realised", "hedges", "events,", "MB",
                  "tick to durable p50", "p99"):  # fmt: skip
        assert words in text, "\n".join(frame)
    assert " ms" in text.rpartition("p99")[2]
    (heading,) = [line.split() for line in frame if "own" in line]
    columns = ["own", "size", "price", "size", "own", "side", "size", "price"]
    assert heading[1:-1] == columns + (["fee", "as"] if width > 80 else [])


async def test_at_full_speed_no_latency_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages wait in the inbox there: their wait is not the log's latency."""
    text = "\n".join(await drawn(monkeypatch, 100, paced=False))
    assert "tick to durable" not in text
    assert "events," in text


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A terminal that takes nothing; if that lasts too long it is let go, and says so."""
    monkeypatch.setattr(screen, "GOODBYE_SECONDS", 0.1)
    monkeypatch.setattr(screen, "REFRESH_SECONDS", 0.001)
    controller, terminal = os.openpty()
    os.set_blocking(terminal, False)
    while True:
        try:
            os.write(terminal, b"x" * 100)
        except BlockingIOError:
            break
    os.set_blocking(terminal, True)
    file = os.fdopen(terminal, "w", closefd=False)
    shown: Any = Terminal(file=file, soft_wrap=True, width=100)
    monkeypatch.setattr(screen, "err", shown)
    let_go: list[str] = []

    def drain() -> None:
        let_go.append("the session waited for the terminal")
        with contextlib.suppress(OSError):
            while os.read(controller, 4_096):
                pass

    timer = threading.Timer(20, drain)
    timer.daemon = True
    timer.start()
    yield let_go
    timer.cancel()
    os.close(controller)
    os.close(terminal)


async def test_a_stopped_terminal_stops_only_the_picture(stopped: list[str]) -> None:
    """Nobody lets it go on: the session trades to its end, and ends."""
    stage = Stage(messages=600)
    with Screen(stage.engine, "stage", 0.0) as watched:
        stage.runner.on_turn.append(watched.turn)
        await stage.play()
    assert not stopped
    assert stage.runner.reason == "the feed has ended"
    assert watched.meter.events == sum(sealed.turn.size for sealed in stage.turns)


async def test_a_reader_who_has_gone_stops_only_the_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody reads the pipe any more: every turn is still counted, and none is watched less."""
    monkeypatch.setattr(screen, "REFRESH_SECONDS", 0.001)
    reading, writing = os.pipe()
    os.close(reading)
    file = os.fdopen(writing, "w", closefd=False)
    monkeypatch.setattr(screen, "err", Terminal(file=file, soft_wrap=True))
    stage = Stage(messages=600)
    with Screen(stage.engine, "stage", 0.0) as watched:
        stage.runner.on_turn.append(watched.turn)
        await stage.play()
    os.close(writing)
    assert stage.runner.reason == "the feed has ended"
    assert stage.runner.on_turn == [watched.turn]
    assert watched.meter.events == sum(sealed.turn.size for sealed in stage.turns)
