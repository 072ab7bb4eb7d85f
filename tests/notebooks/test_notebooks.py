"""Every notebook runs from top to bottom on the session that is shipped, and is stored empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebook extra is not installed")
nbclient = pytest.importorskip("nbclient", reason="the notebook extra is not installed")

TOP: Final = Path(__file__).parents[2]
NOTEBOOKS: Final = sorted((TOP / "notebooks").glob("*.ipynb"))
SECONDS_MAX: Final = 300
PLOTS: Final = {"01_first_look": 6}


def read(path: Path) -> Any:
    """A notebook as it is stored."""
    return nbformat.read(path, as_version=4)


def code(notebook: Any) -> list[Any]:
    """Its cells that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    """An empty directory would prove nothing."""
    assert {path.stem for path in NOTEBOOKS} == PLOTS.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_output(path: Path) -> None:
    """What a notebook shows is computed, never stored."""
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in code(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert "MM_SESSION" in code(notebook)[0].source


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cell fails or warns, and every plot is drawn."""
    if not (TOP / "replays").is_dir():
        pytest.skip("no session is shipped")
    monkeypatch.delenv("MM_SESSION", raising=False)
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    notebook = read(path)
    where = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, timeout=SECONDS_MAX, resources=where).execute()
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert [output.text for output in outputs if output.output_type == "stream"] == []
    plots = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(plots) == PLOTS[path.stem]
    assert all(cell.outputs for cell in code(notebook)[1:])


@pytest.mark.parametrize(
    ("end", "days"),
    [("2024-08-08 23:59:59", "2024-08-08 (UTC)"), ("2024-08-09", "2024-08-08 to 2024-08-09 (UTC)")],
)
def test_an_axis_names_the_days_of_its_data(
    end: str, days: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of the next tick: a session that ends before midnight is of one day."""
    pandas = pytest.importorskip("pandas", reason="the notebook extra is not installed")
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="the notebook extra is not installed")
    monkeypatch.chdir(TOP / "notebooks")
    names: dict[str, Any] = {}
    exec(code(read(NOTEBOOKS[0]))[0].source, names)  # noqa: S102  It is our own cell.
    figure, axis = pyplot.subplots()
    names["clock"](axis, pandas.Timestamp("2024-08-08 23:54:15"), pandas.Timestamp(end))
    figure.canvas.draw()
    assert axis.get_xlabel() == days
    assert axis.xaxis.get_major_formatter().get_offset() == ""
    assert "23:55" in [label.get_text() for label in axis.get_xticklabels()]
    pyplot.close(figure)
