"""The command `mm record`: a synthetic market or a recording becomes a recording."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mm.apps.cli import main
from mm.events.units import Nanos
from mm.gateways.recorded import RecordedFeed
from mm.log.archive import Archive

RUN = "import sys; from mm.apps.cli import main; main(sys.argv[1:])"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, object]]:
    """Exit code and JSON of a command."""
    with pytest.raises(SystemExit) as ended:
        main(["record", *(str(each) for each in arguments), "--json"])
    code = ended.value.code
    assert isinstance(code, int)
    return code, json.loads(capsys.readouterr().out)


def test_synthetic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same seed makes the same recording, hash for hash; a recording can be cut."""
    market = ("--feed", "synthetic", "--seconds", 2)
    _, first = run(capsys, *market, "--seed", 7, "--out", tmp_path / "a")
    _, second = run(capsys, *market, "--seed", 7, "--out", tmp_path / "b")
    _, other = run(capsys, *market, "--seed", 8, "--out", tmp_path / "c")
    assert first["hash"] == second["hash"] != other["hash"]
    code, cut = run(capsys, "--feed", tmp_path / "a", "--seconds", 1, "--out", tmp_path / "d")
    assert code == 0
    assert 0 < sum(1 for _ in Archive(tmp_path / "d").turns()) == cut["turns"]
    whole = list(RecordedFeed(tmp_path / "a").messages(Nanos(0)))
    part = list(RecordedFeed(tmp_path / "d").messages(Nanos(0)))
    assert part == whole[: len(part)]


def test_a_desk_is_a_feed_by_its_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its archive is found inside, as it is by name for every other command."""
    market = ("--feed", "synthetic", "--seconds", 1)
    run(capsys, *market, "--out", tmp_path / "desk" / "archive")
    inside = RecordedFeed(tmp_path / "desk" / "archive").messages(Nanos(0))
    assert list(RecordedFeed(tmp_path / "desk").messages(Nanos(0))) == list(inside)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--feed", "nowhere"], 3),
        (["--feed", "synthetic", "--speed", "fast"], 2),
        (["--feed", "synthetic", "--speed", "-1"], 2),
        (["--feed", "synthetic", "--speed", "nan"], 2),
        (["--feed", "synthetic", "--seconds", "-1"], 2),
        (["--feed", "synthetic", "--seconds", "nan"], 2),
        (["--feed", "synthetic", "--start", "today"], 2),
    ],
)
def test_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    """What cannot be recorded is refused by name, and nothing is left behind."""
    found, document = run(capsys, *arguments, "--out", tmp_path / "rec")
    assert found == code
    assert document["remedy"]
    assert list(tmp_path.iterdir()) == []


def test_stopped_recording_is_kept(tmp_path: Path) -> None:
    """Ctrl-C ends with code 130, and what came before is a whole recording."""
    arguments = ["record", "--feed", "synthetic", "--speed", "1", "--out", str(tmp_path / "rec")]
    with subprocess.Popen([sys.executable, "-c", RUN, *arguments]) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / ".rec.draft").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert sum(1 for _ in Archive(tmp_path / "rec").turns()) > 1
    assert [each.name for each in tmp_path.iterdir()] == ["rec"]
