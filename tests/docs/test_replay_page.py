"""The page on backtests explains every figure that is shown, and its Python example works."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from mm.analytics.performance import performance
from mm.analytics.sheet import sections
from tests.analytics.runs import bought, order, point, run
from tests.docs.pages import ROOT, blocks

PAGE: Final = ROOT / "docs" / "replay.md"
RUN: Final = run(
    [bought(10, 1000, 1)],
    [point(second, 1000) for second in range(100)],
    [order(1, 10, 1, 1)],
    capital={"USDT": Decimal(100)},
)
LABELS: Final = [row.label for each in sections(performance(RUN)) for row in each.rows]


@pytest.mark.parametrize("label", [label for label in LABELS if label != "markout 10 s"])
def test_every_figure_is_explained(label: str) -> None:
    """A row of the tear sheet is named on the page, in a table or in words."""
    text = PAGE.read_text("utf-8")
    assert re.search(rf"(\| |, |`){re.escape(label)}( \||,|`)", text), f"{label} is not on the page"


def test_the_python_example_works(tmp_path: Path) -> None:
    """The block opens a saved run, prints its profit and writes its report."""
    RUN.save(tmp_path / "run1")
    (block,) = blocks(PAGE, "python")
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-0.00002")
    assert (tmp_path / "run1.html").is_file()
