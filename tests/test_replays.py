"""Golden replays: every session in `replays/` is reproduced, decisions and state, to the byte."""

import json
from pathlib import Path

import pytest

from mm.engine.verify import verify
from mm.log.archive import Archive

REPLAYS = Path(__file__).resolve().parent.parent / "replays"
CASES = sorted(path for path in REPLAYS.iterdir() if (path / "expected.json").is_file())


def test_there_are_replays() -> None:
    """An empty directory would prove nothing."""
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_replay(case: Path) -> None:
    """A recorded session is reproduced: every decision in order, state to the byte."""
    expected = json.loads((case / "expected.json").read_text())
    seen = verify(Archive(case).turns())
    assert seen.difference is None
    assert {name: getattr(seen, name) for name in expected} == expected
