"""The peers' benchmark around its runs: who is chosen, who is left out and why, the table."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import environments, table
from benchmarks.peers.contestants import CONTESTANTS, Contestant, Day, Failed, chosen, run
from benchmarks.peers.environments import HFTBACKTEST, NAUTILUS, Absent, Environment
from benchmarks.peers.table import Entry

DAY = Day(Path("day.npy"), "0.1", "0.001")


def saying(code: str) -> Contestant:
    """A contestant that runs a line of Python."""
    return Contestant("line", "maker", ("-c", code))


def line(rate: int, **others: Any) -> dict[str, Any]:
    """What a run printed."""
    named = {"run_s": 1.0, "run_processor_s": 1.0, "process_s": 2.0, "peak_rss_mb": 300.0}
    return dict.fromkeys(table.RESULT, 0) | named | {"events_per_s": rate} | others


def test_words_choose() -> None:
    """A word is a group or a part of a name; no word is everybody."""
    assert chosen([]) == list(CONTESTANTS)
    assert {each.group for each in chosen(["none"])} == {"none"}
    assert {each.environment for each in chosen(["nautilus"])} == {NAUTILUS}
    assert not chosen(["nobody"])


def test_the_last_line_is_the_result() -> None:
    """What is printed before the line is ignored; the whole process is timed from outside."""
    found = run(saying("print('hello'); print('{\"fills\": 3}')"), Path(sys.executable), DAY)
    assert found["fills"] == 3
    assert found["process_s"] > 0


def test_a_contestant_hears_of_the_day() -> None:
    """The file and its increments follow the command."""
    code = "import json, sys; print(json.dumps({'argv': sys.argv[1:]}))"
    told = run(saying(code), Path(sys.executable), DAY)["argv"]
    assert told == ["--events", "day.npy", "--tick", "0.1", "--lot", "0.001"]


def test_a_failure_has_its_reason() -> None:
    """The last words of a process that failed are the reason."""
    with pytest.raises(Failed, match="ended with 1: ValueError: no book"):
        run(saying("raise ValueError('no book')"), Path(sys.executable), DAY)


def test_a_python_that_is_not_here_is_the_reason() -> None:
    """A wrong program, or none of a version, is told with the option that names one."""
    with pytest.raises(Absent, match=r"is no Python 3\.12: name another with --python312"):
        environments.interpreter("3.12", Path("/nowhere/python"))
    with pytest.raises(Absent, match=r"no Python 3\.99 here"):
        environments.interpreter("3.99")


def test_an_environment_is_made_only_where_asked(tmp_path: Path) -> None:
    """Who wants one that is there is told how to get it, and nothing is made."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    odd = Environment("hftbacktest", version)
    with pytest.raises(Absent, match="hftbacktest is not installed"):
        environments.existing(odd, tmp_path, Path(sys.executable))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_installed_is_left_out() -> None:
    """The installer's last words are the reason."""
    failing = [sys.executable, "-c", "import sys; print('trying'); sys.exit('no such package')"]
    with pytest.raises(Absent, match="odd cannot be installed: no such package"):
        environments.run(Environment("odd", "3.12"), [*failing])


@pytest.mark.parametrize("peer", [HFTBACKTEST, NAUTILUS], ids=lambda peer: str(peer.name))
def test_locks_are_whole(peer: Environment) -> None:
    """Every package of a peer has one version and hashes."""
    packages = peer.lock.read_text().replace("\\\n", " ").splitlines()
    assert all(re.match(r"[\w.-]+==\S+ .*--hash=sha256:", package) for package in packages)


def test_ratios_are_paired_by_round() -> None:
    """The first contestant's lead is the median over rounds, each within itself."""
    first, other = (Entry(each) for each in CONTESTANTS[:2])
    first.lines = [line(8), line(80), line(30)]
    other.lines = [line(4), line(20), line(10)]
    assert table.lead(first, other) == 3


def test_the_table_names_everybody() -> None:
    """Whoever ran has a row, an unsteady one is marked, and whoever did not has the reason."""
    first, other, absent = (Entry(each) for each in CONTESTANTS[:3])
    first.lines = [line(8_000_000, fills=5), line(9_000_000, fills=5)]
    other.lines = [line(4_000_000, fills=5), line(3_000_000, fills=6)]
    absent.reason = "no Python 3.12 here"
    text = table.rendered([first, other, absent])
    assert "8.500" in text
    assert "(8.000-9.000)" in text
    assert "x2.50" in text
    assert f"{other.contestant.name} (rounds differ!)" in text
    assert f"left out, no Python 3.12 here:\n  {absent.contestant.name} (maker)" in text
    documented = table.document([first, other, absent])
    assert [each["reason"] for each in documented] == [None, None, absent.reason]
    assert [each.get("first_is") for each in documented] == [1, 2.5, None]
