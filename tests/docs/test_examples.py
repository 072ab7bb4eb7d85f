"""Every shell example of the pages works as it stands, page by page, after a demo.

Blocks marked `sh` are run in order by one shell that stops at the first failure, in a directory
that looks like a fresh clone in which `make demo` has run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, name_of

RUNNABLE: Final = [page for page in PAGES if page.parent.name == "docs" and blocks(page, "sh")]
SECONDS_MAX: Final = 600


def shell(script: str, where: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a person would in an activated environment."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("MM_", "NAT"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=script,
        cwd=where,
        env=ours | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a demo leaves behind."""
    where = tmp_path_factory.mktemp("demo")
    done = shell("mm demo --seconds 3", where)
    assert done.returncode == 0, done.stderr
    return where / "mm-data"


@pytest.mark.storm
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_shell_examples_work(page: Path, demo: Path, tmp_path: Path) -> None:
    """All shell blocks of a page run without an error, and write to the data directory only."""
    shutil.copytree(demo, tmp_path / "mm-data")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    done = shell("\n".join(block.text for block in blocks(page, "sh")), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"docs", "mm-data"}
