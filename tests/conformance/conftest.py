"""The venues, one after the other, for every check; and what came of it, kept where that is asked.

`MM_CONFORMANCE=FILE` writes the results, from which `docs/make_venues.py` makes a page. The run has
to be one process.
"""

from __future__ import annotations

import os
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from tests.conformance.desk import ABILITIES, Desk
from tests.conformance.venues import PLACES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from tests.conformance.venues import Place

KEPT: Final = os.environ.get("MM_CONFORMANCE", "")
NOT_OFFERED: Final = "not offered: "
RESULTS: Final[dict[str, dict[str, Any]]] = {}


@pytest.fixture(params=PLACES, ids=lambda place: place.name)
def place(request: pytest.FixtureRequest) -> Place:
    """Each venue; a check that it does not offer is left out, with the reason."""
    found: Place = request.param
    name = request.function.__name__.removeprefix("test_")
    if name in found.lacks:
        pytest.skip(f"{NOT_OFFERED}{found.lacks[name]}")
    return found


@pytest.fixture
async def desk(place: Place) -> AsyncIterator[Desk]:
    """An account at each venue."""
    async with Desk(place).listening() as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what came of a check at a venue."""
    report = yield
    assert isinstance(item, pytest.Function)
    venue: Any = item.callspec.params.get("place") if hasattr(item, "callspec") else None
    if venue is None or (report.when != "call" and report.passed):
        return report
    name = item.function.__name__.removeprefix("test_").replace("_", " ")
    section = (getdoc(item.module) or "").partition(":")[0]
    meaning = getdoc(item.function) or ""
    row = RESULTS.setdefault(
        name, {"section": section, "name": name, "meaning": meaning, "results": {}}
    )
    result = {"passed": "passes", "failed": "fails"}.get(report.outcome)
    if result is None:
        assert isinstance(report.longrepr, tuple)
        why = report.longrepr[2].removeprefix("Skipped: ")
        assert why.startswith(NOT_OFFERED), f"{name} was left out: {why}"
        result = why
    if row["results"].get(venue.name) != "fails":
        row["results"][venue.name] = result
    return report


def pytest_sessionfinish() -> None:
    """Write the results."""
    if KEPT and RESULTS:
        kept = {"abilities": ABILITIES, "checks": list(RESULTS.values())}
        text = msgspec.json.format(msgspec.json.encode(kept, order="sorted"), indent=1)
        Path(KEPT).write_bytes(text + b"\n")
