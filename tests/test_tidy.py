"""Every module is put to the house rules of `tidy.py`, and every rule is shown to fail.

A failure names file, line, what is wrong and the remedy. The rule wins unless the style changes.
"""

import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests import tidy
from tests.tidy import Source

ROOT: Final = Path(__file__).parents[1]
FILE_BYTES_MAX: Final = 2_000_000
"""Larger tracked files are recordings: bytes, not text."""

Rule = Callable[[Source], Iterator[str]]


def modules(*folders: str) -> list[str]:
    """Paths of the Python files under `folders`, as test ids."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in found)


PRODUCT: Final = modules("mm")
EVERYTHING: Final = modules("mm", "tests", "benchmarks")
TESTS: Final = [path for path in modules("tests") if Path(path).name.startswith("test_")]


@cache
def source(path: str) -> Source:
    """A module, parsed once for all rules."""
    return Source.read(ROOT / path, ROOT)


def judge(path: str, *rules: Rule) -> None:
    """Fail with every finding of `rules` on the module at `path`."""
    findings = [f"{path}:{finding}" for rule in rules for finding in rule(source(path))]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize("path", PRODUCT)
def test_imports_point_down(path: str) -> None:
    """A module imports its own floor or below, and only gateways import ccxt."""
    judge(path, tidy.floors, tidy.venues)


@pytest.mark.parametrize("path", PRODUCT)
def test_pure_floors_stay_pure(path: str) -> None:
    """Floors 0, 2 and 3 know no clock, no randomness, no network, no file."""
    judge(path, tidy.pure)


@pytest.mark.parametrize("path", PRODUCT)
def test_nothing_is_swallowed_or_left_for_later(path: str) -> None:
    """No handler catches everything, and no code waits to be written."""
    judge(path, tidy.catch_all, tidy.unfinished)


@pytest.mark.parametrize("path", PRODUCT)
def test_sizes(path: str) -> None:
    """Modules and functions stay short enough to hold in mind."""
    judge(path, tidy.long_module, tidy.long_functions)
    lines = len(source(path).text.splitlines())
    if lines > tidy.LINES_TARGET:
        pytest.xfail(f"{path} has {lines} lines; split it by noun before {tidy.LINES_MAX}")


@pytest.mark.parametrize("path", EVERYTHING)
def test_modules_are_named_and_explained(path: str) -> None:
    """A module has a telling name, a docstring, and lines of at most 100 columns."""
    judge(path, tidy.vague_name, tidy.module_docstring, tidy.long_lines)


@pytest.mark.parametrize("path", TESTS)
def test_tests_say_what_they_show(path: str) -> None:
    """Every test has a docstring of one line."""
    judge(path, tidy.says_what_it_shows)


def test_no_file_names_a_place() -> None:
    """No tracked file names a package registry or a path of one machine."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    paths = [ROOT / name for name in listed if name]
    files = [path for path in paths if path.is_file() and path.stat().st_size <= FILE_BYTES_MAX]
    findings = [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in files
        for finding in tidy.places(path.read_bytes())
    ]
    assert not findings, "\n" + "\n".join(findings)


DOWN: Final = "from mm.engine.core import Engine"
BAD: Final[list[tuple[Rule, str, str, str]]] = [
    (tidy.floors, "mm.events.units", DOWN, "move the code down"),
    (tidy.floors, "mm.log.memory", "from mm import apps", "move the code down"),
    (tidy.floors, "mm.strategy.base", "def f():\n    import mm.sim.venue", "move the code down"),
    (tidy.floors, "mm.sim.venue", "import mm.gateways.base", "let mm.apps wire them"),
    (tidy.floors, "mm.analytics.report", "import mm.gateways.base", "let mm.apps wire them"),
    (tidy.floors, "mm.plumbing.pipes", "", "give it one in FLOORS"),
    (tidy.venues, "mm.apps.runner", "import ccxt.pro", "ask the gateway"),
    (tidy.pure, "mm.events.units", "import time", "as a fact"),
    (tidy.pure, "mm.projections.pnl", "from os import environ", "as a fact"),
    (tidy.pure, "mm.engine.core", "from numpy.random import default_rng", "as a fact"),
    (tidy.pure, "mm.engine.core", "import numpy as np\nnp.random.seed(1)", "seed from the log"),
    (tidy.pure, "mm.engine.core", "datetime.now()", "the turn's `at`"),
    (tidy.pure, "mm.engine.core", "datetime.datetime.utcnow()", "the turn's `at`"),
    (tidy.pure, "mm.strategy.base", "open('x')", "do the IO in mm.apps"),
    (tidy.pure, "mm.strategy.base", "print('x')", "do the IO in mm.apps"),
    (tidy.pure, "mm.strategy.base", "input()", "do the IO in mm.apps"),
    (tidy.pure, "mm.strategy.base", "hash('x')", "use a digest"),
    (tidy.pure, "mm.strategy.base", "async def f():\n    pass", "do that in the runner"),
    (tidy.catch_all, "mm.log.memory", "try:\n    f()\nexcept:\n    pass", "name the ones"),
    (
        tidy.catch_all,
        "mm.log.memory",
        "try:\n    f()\nexcept Exception:\n    pass",
        "name the ones",
    ),
    (tidy.catch_all, "mm.log.memory", "try:\n    f()\nexcept (A, Exception):\n    g()", "name the"),
    (tidy.catch_all, "mm.log.memory", "with suppress(BaseException):\n    f()", "name the ones"),
    (tidy.unfinished, "mm.log.memory", "x = 1  # " + "TODO" + " more", "open an issue"),
    (tidy.unfinished, "mm.log.memory", "raise NotImplementedError('x')", "use a Protocol"),
    (tidy.long_module, "mm.log.memory", "x = 1\n" * 401, "split the module by noun"),
    (tidy.long_functions, "mm.log.memory", "def f():\n" + "    x = 1\n" * 60, "split it by what"),
    (tidy.long_lines, "mm.log.memory", f"x = '{'x' * 100}'", "break the line"),
    (tidy.vague_name, "mm.log.utils", "", "after the noun"),
    (tidy.vague_name, "mm.manager.base", "", "after the noun"),
    (tidy.module_docstring, "mm.log", "x = 1", "the module's purpose"),
    (tidy.says_what_it_shows, "tests.test_x", "def test_x():\n    pass", "what it shows"),
    (tidy.says_what_it_shows, "tests.test_x", 'def test_x():\n    """A\n\n    b."""', "what it"),
]
GOOD: Final[list[tuple[Rule, str, str]]] = [
    (tidy.floors, "mm.engine.core", "from mm import __version__\nimport mm.log.base"),
    (tidy.floors, "mm.gateways.paper", "import mm.sim.venue"),
    (tidy.venues, "mm.gateways.venue", "import ccxt.pro"),
    (tidy.pure, "mm.log.server", "import os, time\nprint(time.time())"),
    (tidy.pure, "mm.engine.core", "from datetime import date\nat = clock.now()\ndate(2026, 1, 1)"),
    (tidy.catch_all, "mm.log.memory", "try:\n    f()\nexcept (OSError, MmError):\n    pass"),
    (tidy.long_functions, "mm.sim.pass", "@njit(cache=True)\ndef f():\n" + "    x = 1\n" * 90),
    (tidy.vague_name, "mm.log.commonality", ""),
    (tidy.says_what_it_shows, "tests.test_x", 'def test_x():\n    """It holds."""'),
]


@pytest.mark.parametrize(("rule", "name", "text", "remedy"), BAD)
def test_each_rule_can_fail(rule: Rule, name: str, text: str, remedy: str) -> None:
    """Bad source is found once, with a line and a remedy."""
    (finding,) = rule(Source.of(name, text))
    assert finding.split(":")[0].isdigit()
    assert remedy in finding


@pytest.mark.parametrize(("rule", "name", "text"), GOOD)
def test_each_rule_lets_good_source_pass(rule: Rule, name: str, text: str) -> None:
    """What the style asks for is not mistaken for what it bans."""
    assert not list(rule(Source.of(name, text)))


def test_places_are_found() -> None:
    """A registry's address or a machine's path is found; ordinary words and addresses are not."""
    index = [b"//index.example" + path for path in (b"/simple/", b"/packages/a.whl", b"/a/-/a.tgz")]
    bad = [*(b"https:" + each for each in index), b"cd /" + b"work/main", b"'/" + b"root/x'"]
    assert all(list(tidy.places(line)) for line in bad)
    good = [b"mm-data/" + b"work/x", b"framework/x", b"a home/of", b"https:/" + b"/example.org/x"]
    assert not [line for line in good if list(tidy.places(line))]
