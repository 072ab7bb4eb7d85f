"""Errors say what, where and what to do, and their exit codes are stable."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from mm import errors
from mm.errors import BadInput, LogDamaged, LogError, MmError, OffTick, TailLost

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


def test_message_has_three_parts() -> None:
    """The message reads as one, and the parts are there for tables and JSON."""
    error = OffTick("1.23 is off the tick.", where="trades.csv:7", remedy="check the tick size")
    assert str(error) == "1.23 is off the tick. where: trades.csv:7. Do: check the tick size"
    assert (error.what, error.where, error.remedy) == (
        "1.23 is off the tick.", "trades.csv:7", "check the tick size",
    )  # fmt: skip


def test_parts_may_be_missing() -> None:
    """Without place or remedy the message is just what happened."""
    assert str(MmError("it broke")) == "it broke"
    assert str(MmError("it broke", remedy="mend it")) == "it broke. Do: mend it"


def test_errors_travel_between_processes() -> None:
    """A worker's error arrives whole."""
    sent = TailLost("3 turns are gone", where="MM_demo", remedy="restore the archive")
    got = pickle.loads(pickle.dumps(sent))  # noqa: S301  Our own bytes.
    assert type(got) is TailLost
    assert (str(got), got.where) == (str(sent), sent.where)


def test_branches() -> None:
    """What is caught by branch is on that branch."""
    assert issubclass(TailLost, LogDamaged)
    assert issubclass(LogDamaged, LogError)
    assert issubclass(OffTick, BadInput)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_tree_is_drawn(kind: type[MmError]) -> None:
    """Every error stands in the docstring's tree, with its exit code where that changes."""
    drawn = re.search(rf"^[ │├└─]*{kind.__name__}\b +(\d*)", errors.__doc__ or "", re.MULTILINE)
    assert drawn or kind is MmError, f"{kind.__name__} is missing from the tree"
    if drawn and drawn[1]:
        assert kind.exit_code == int(drawn[1])
    assert kind.exit_code in {1, 2, 3, 4, 5, 6, 130}
