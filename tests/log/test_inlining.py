"""What only compiled code calls has no machine code, and does what it did with it."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numba
import pytest

from mm.log.inlining import TRIED, Inlining, Linkable, njit
from mm.projections.compiled import whole
from mm.sim.delays import uniform

PROGRAM: Final = """
from typing import Any

from numba import int64

from mm.log.inlining import inner, njit, part

@inner
def least(a: Any, b: Any) -> Any:
    return a if a < b else b

@part
def product(a: Any, b: Any) -> Any:
    total = 0
    for _ in range(b):
        total += a
    return total + least(a, b)

@njit(cache=True)
def found(a: Any, b: Any) -> Any:
    return product(a, b) - least(b, a)
"""


def answer(folder: Path, question: str) -> str:
    """What a process says that compiles the program's functions, or loads them."""
    done = subprocess.run(
        [sys.executable, "-c", f"from asked import *; {question}"],
        cwd=folder,
        env={"NUMBA_CACHE_DIR": str(folder / "kept"), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_numba_that_is_installed_is_the_one_that_was_tried() -> None:
    """A lock with another numba is seen at once: all would still work, and compile slowly."""
    # Should this fail: see whether `mm.log.inlining` holds with the new one, then say so in TRIED.
    assert numba.version_info.short == TRIED
    found: Any = whole
    assert found._compiler.pipeline_class is Inlining


def test_what_only_compiled_code_calls_is_linked_and_never_machine_code() -> None:
    """Functions of either kind, ours and those that Python may call too."""
    found: Any = whole

    @njit()
    def asked(number: Any) -> int:
        return whole(number) + uniform(3, 3, 0, 0, 0)

    assert asked(4) == 7
    assert [type(each.library) for each in found.overloads.values()] == [Linkable] * len(
        found.overloads
    )
    assert found.overloads


def test_python_is_refused_what_only_compiled_code_calls() -> None:
    """It would have no machine code to run."""
    with pytest.raises(TypeError, match="whole is called by compiled code only"):
        whole(3)


def test_a_part_is_kept_and_found_again_by_another_process(tmp_path: Path) -> None:
    """Processes compile parts beside one another; what is put together needs them no more."""
    (tmp_path / "asked.py").write_text(PROGRAM, encoding="utf-8")
    told = "print(sum(product.stats.cache_hits.values()), found(7, 6))"
    # given the part alone, compiled by one process
    answer(tmp_path, "product.compile((int64, int64))")
    # when another one compiles what calls it, it finds it
    assert answer(tmp_path, f"found.compile((int64, int64)); {told}") == "1 42"
    # and a third loads the caller alone
    assert answer(tmp_path, told) == "0 42"
