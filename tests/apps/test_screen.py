"""What a person sees fits the terminal, and says nothing that is not so."""

from __future__ import annotations

import io
from typing import Any, Final

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live

from mm.apps import screen
from mm.apps.screen import Screen
from tests.apps.stage import Stage

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
    with Live(watched.picture(), console=flat, auto_refresh=False):
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
