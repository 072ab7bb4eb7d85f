"""The page of venues is made from kept results, and those are of the checks that there are."""

from __future__ import annotations

import importlib
from inspect import getdoc, getmembers, isfunction
from typing import Final

from docs import make_venues
from tests.conformance.venues import PLACES
from tests.docs.pages import ROOT

AGAIN: Final = "run the two commands in `docs/make_venues.py`"


def checks() -> dict[str, str]:
    """Every check of the suite, and its meaning."""
    found = {}
    for path in (ROOT / "tests" / "conformance").glob("test_*.py"):
        module = importlib.import_module(f"tests.conformance.{path.stem}")
        for name, function in getmembers(module, isfunction):
            if name.startswith("test_"):
                found[name.removeprefix("test_").replace("_", " ")] = getdoc(function) or ""
    return found


def test_page_of_venues_is_made_from_the_kept_results() -> None:
    """`docs/venues.md` is what `docs/make_venues.py` writes."""
    assert make_venues.PAGE.read_text(encoding="utf-8") == make_venues.page(), AGAIN


def test_kept_results_are_of_the_checks_that_there_are() -> None:
    """None is missing, none is of a check that is gone, and each is of every venue."""
    kept = make_venues.kept()
    assert {check.name: check.meaning for check in kept.checks} == checks(), AGAIN
    for check in kept.checks:
        assert set(check.results) == {place.name for place in PLACES}, AGAIN


def test_what_is_not_offered_was_kept_with_its_reason() -> None:
    """As the suite has it."""
    results = {check.name: check.results for check in make_venues.kept().checks}
    for place in PLACES:
        for name, why in place.lacks.items():
            kept = results[name.replace("_", " ")][place.name]
            assert kept == f"{make_venues.NOT_OFFERED}{why}", AGAIN
