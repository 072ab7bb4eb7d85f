"""Writes `docs/venues.md`: what each venue can do, and what the conformance suite found.

The results are kept in `docs/conformance.json`, written by a run of `tests/conformance`:

    MM_CONFORMANCE=docs/conformance.json .venv/bin/pytest -q tests/conformance
    .venv/bin/python docs/make_venues.py

The page is never edited by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

PAGE: Final = Path(__file__).with_name("venues.md")
KEPT: Final = Path(__file__).with_name("conformance.json")
NOT_OFFERED: Final = "not offered: "
HEAD: Final = """\
# Venues

What each venue can do, and which checks its adapter passes against its emulator. This page is made
by `docs/make_venues.py` from the results of a run of `tests/conformance`; `make test` compares the
two, and runs the suite anew. How a venue comes to stand here: [adding an
exchange](adding_a_venue.md).
"""
ABILITIES: Final = {
    "amend": "an order is moved in place",
    "cancel_all": "one call cancels all orders of an instrument",
    "reduce_only": "an order that can only reduce a position",
    "switch": "a dead man's switch that the venue keeps",
    "acknowledges": "a good answer means that the order rests",
    "positions": "positions are told",
}


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of one check: by venue `passes`, `fails`, or why it is not offered."""

    section: str
    name: str
    meaning: str
    results: dict[str, str]


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The results of a whole run, and what each venue's port says of itself."""

    abilities: dict[str, dict[str, Any]]
    checks: list[Check]


def kept() -> Kept:
    """The results as they were kept."""
    return msgspec.json.decode(KEPT.read_bytes(), type=Kept)


def page() -> str:
    """The whole page."""
    found = kept()
    venues = sorted({venue for check in found.checks for venue in check.results})
    return "\n".join([HEAD, *_matrix(found, venues), *_checks(found, venues)])


def _matrix(found: Kept, venues: list[str]) -> Iterator[str]:
    yield "## What they can do\n"
    rows = [
        (words, *(_mark(found, venue, name) for venue in venues))
        for name, words in ABILITIES.items()
    ]
    rows.append(("the limits that are kept", *(_rates(found, venue) for venue in venues)))
    yield _table(("", *(f"`{venue}`" for venue in venues)), rows)


def _mark(found: Kept, venue: str, name: str) -> str:
    if venue not in found.abilities:
        return "market data alone"
    return "yes" if found.abilities[venue][name] else "no"


def _rates(found: Kept, venue: str) -> str:
    rates = found.abilities.get(venue, {}).get("rates", [])
    told = (f"{rate['name']}: {rate['most']} in {rate['span'] / 1e9:g} s" for rate in rates)
    return "<br>".join(told)


def _checks(found: Kept, venues: list[str]) -> Iterator[str]:
    yield "## Conformance\n"
    rows = [
        (venue, *(str(_count(found, venue, kind)) for kind in ("passes", "fails", NOT_OFFERED)))
        for venue in venues
    ]
    yield f"{len(found.checks)} checks, run for every venue.\n"
    yield _table(("venue", "passes", "fails", "not offered"), rows)
    for section in dict.fromkeys(check.section for check in found.checks):
        yield f"### {section}\n"
        checks = [check for check in found.checks if check.section == section]
        yield _table(
            ("check", "meaning", *(f"`{venue}`" for venue in venues)),
            [
                (check.name, check.meaning, *(_result(check, venue) for venue in venues))
                for check in checks
            ],
        )
    yield _reasons(found)


def _count(found: Kept, venue: str, kind: str) -> int:
    return sum(check.results.get(venue, "").startswith(kind) for check in found.checks)


def _result(check: Check, venue: str) -> str:
    result = check.results.get(venue, "not run")
    return "not offered" if result.startswith(NOT_OFFERED) else result


def _reasons(found: Kept) -> str:
    """Why checks are not offered."""
    rows = [
        (f"`{venue}`", check.name, result.removeprefix(NOT_OFFERED))
        for check in found.checks
        for venue, result in check.results.items()
        if result.startswith(NOT_OFFERED)
    ]
    return f"### Not offered\n\n{_table(('venue', 'check', 'why'), sorted(rows))}"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
