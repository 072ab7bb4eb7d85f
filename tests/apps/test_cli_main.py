"""The `mm` command itself: help at once, near misses, exit codes, one document, closed pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import click
import pytest

from mm.apps.cli import output
from mm.apps.cli.main import COMMANDS
from tests.apps.desks import ENDED, Cli, archive, session

if TYPE_CHECKING:
    from pathlib import Path

RUN: Final = "import sys; from mm.apps.cli import main; main(sys.argv[1:])"
HEAVY: Final = ("numpy", "pyarrow", "numba", "duckdb", "nats", "msgspec", "yaml")
LEAVES: Final = [
    ("demo",),
    ("live",),
    ("emulate",),
    ("venue", "ls"),
    ("venue", "check"),
    ("feed",),
    ("replay", "verify"),
    ("replay", "backtest"),
    ("import", "binance-raw"),
    ("import", "csv"),
    ("adapter", "regress"),
    ("record",),
    *(("log", name) for name in ("ls", "stats", "show", "check", "tail", "export")),
    ("query",),
    ("compile",),
]


@pytest.fixture
def mm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, without the caller's environment."""
    for name in ("MM_DATA", "NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    return Cli(capsys)


@pytest.mark.parametrize("ask", ["--help", "-h"])
def test_help_lists_every_command(mm: Cli, ask: str) -> None:
    """One line a command, in the order in which a newcomer meets them."""
    text = mm(ask)
    assert mm.code == 0
    places = [text.index(f"│ {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert all(line in text for _, line in COMMANDS.values())


@pytest.mark.parametrize("ask", [["--help"], ["-h"], [], ["--version"], ["lgo"]])
def test_help_imports_nothing_heavy(ask: list[str]) -> None:
    """Whoever only asks does not wait for what a command would need."""
    code = (
        "import atexit, sys\n"
        f"heavy = lambda: [name for name in {HEAVY!r} if name in sys.modules]\n"
        "atexit.register(lambda: print('HEAVY', *heavy(), file=sys.stderr))\n" + RUN
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *ask], capture_output=True, text=True, check=False
    )
    assert ran.stderr.strip().splitlines()[-1] == "HEAVY"


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_shows_an_example(mm: Cli, command: tuple[str, ...]) -> None:
    """`--help` explains the options and has a command line to copy."""
    text = mm(*command, "--help")
    assert mm.code == 0
    assert "Example" in text
    assert f"mm {' '.join(command)}" in text.partition("Example")[2]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("log", "show"), "default: the latest session"),
        (("live",), "TOML or YAML"),
        (("replay", "verify"), "default: the latest"),
        (("import", "binance-raw"), "plain or gzip"),
    ],
)
def test_arguments_are_explained(mm: Cli, command: tuple[str, ...], words: str) -> None:
    """What stands without a dash has its help too."""
    assert words in " ".join(mm(*command, "--help").replace("│", " ").split())


def test_every_command_is_covered_here() -> None:
    """A new command needs a line above."""
    assert {leaf[0] for leaf in LEAVES} == set(COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("lgo",), "No such command 'lgo'. Did you mean 'log'?"),
        (("log", "chekc"), "No such command 'chekc'. Did you mean 'check'?"),
        (("demo", "--secnds", "3"), "No such option '--secnds'"),
        (("log", "show", "--last", "many"), "'many' is not a valid int"),
    ],
)
def test_a_wrong_command_line_is_explained(mm: Cli, arguments: tuple[str, ...], what: str) -> None:
    """The nearest name, where to read on, exit code 2; the same as one JSON document."""
    assert mm(*arguments) == ""
    assert mm.code == 2
    assert what in mm.err
    assert mm.err.count("Did you mean") <= 1
    assert "--help" in mm.err
    document = json.loads(mm(*arguments, "--json"))
    assert what in document["what"]
    assert (document["error"], document["exit_code"], mm.code) == ("ConfigError", 2, 2)


def test_a_bare_group_shows_its_help(mm: Cli) -> None:
    """`mm log` alone is a question, answered with the commands there are."""
    text = mm("log") + mm.err
    assert mm.code == 2
    assert all(name in text for name in ("ls", "stats", "show", "check", "tail", "export"))


def test_ctrl_c_is_one_line_and_130(mm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command was doing, it ends with the code that shells expect, JSON included."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Command, "invoke", interrupted)
    document = mm.json("compile")
    assert mm.code == document["exit_code"] == 130
    assert mm.err.startswith("Interrupted: ")


def test_a_program_that_compiles_hears_nothing_else(mm: Cli) -> None:
    """Set-up tells the step itself: with --json nothing but an error goes to stderr."""
    assert mm.json("compile")["seconds"] > 0
    assert (mm.code, mm.err) == (0, "")


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """An assertion of ours is not dressed up as an error of the outside."""

    def wrong(*_: object) -> None:
        raise AssertionError("ours")

    monkeypatch.setattr(click.Command, "invoke", wrong)
    with pytest.raises(AssertionError, match="ours"):
        output_of(["compile"])


def output_of(arguments: list[str]) -> None:
    """Run a command in this process."""
    from mm.apps.cli import main  # noqa: PLC0415  Patched above.

    main(arguments)


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    """`mm log show … | head` prints no traceback, and its code is that of any such filter."""
    root = archive(tmp_path / "long", session(800, ENDED), name="long", span=20_000)
    command = [sys.executable, "-c", RUN, "log", "show", str(root), "--limit", "100000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


def test_progress_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file or pipe gets no bar; a terminal gets one on stderr, once it has waited a while."""
    with output.progress("counting", 10) as advance:
        advance(1)
    monkeypatch.setattr(output, "err", output.Terminal(stderr=True, force_terminal=True))
    with output.progress("counting", 10) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(output, "PATIENCE_SECONDS", 0.0)
    with output.progress("counting", 10) as advance:
        time.sleep(0.1)
        advance(1)
        sys.stdout.write("printed meanwhile")
    out, err = capsys.readouterr()
    assert out == "printed meanwhile"
    assert "counting" in err


def test_progress_is_not_redrawn_for_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are collected until it is time to draw, and none is lost on the way."""
    now = 0.0
    monkeypatch.setattr("mm.apps.cli.output.time.monotonic", lambda: now)
    drawn: list[float] = []
    add = output._throttled(drawn.append)
    for step in range(1, 1_001):
        now = step * output.REFRESH_SECONDS / 100
        add(1)
    assert len(drawn) <= 10
    assert sum(drawn) > 900


def test_a_narrow_terminal_cuts_no_number(
    mm: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text folds, figures never do; how many turns is told where there is room."""
    archive(tmp_path / "a-rather-long-name", session(10, ENDED), name="long")
    monkeypatch.setattr(output.out, "_force_terminal", True)
    monkeypatch.setattr(output.out, "_width", 60)
    text = mm("log", "ls", "--data", tmp_path)
    (found,) = mm.json("log", "ls", "--data", tmp_path)
    assert f" {found['events']:,} " in text
    assert " 2023-11-14 22:13 " in text
    monkeypatch.setattr(output.out, "_width", 100)
    assert f" {found['turns']:,} " in mm("log", "ls", "--data", tmp_path)


def test_json_is_one_document(mm: Cli, tmp_path: Path) -> None:
    """Notes and errors in words go to stderr, so that stdout can be piped into a program."""
    json.loads(mm("log", "ls", "--data", tmp_path, "--json"))
    json.loads(mm("log", "show", "--data", tmp_path, "--json"))
    assert mm.code == 3
    assert os.linesep in mm.err
