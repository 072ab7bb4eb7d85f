"""The SQL of this package: files in `sql/`, some of them with named sections to be filled in.

A section begins with `-- :name` and ends at the next one; braces in it are filled in by name. All
other text stands for itself.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

SECTION = re.compile(r"^-- :(\w+)\n", re.MULTILINE)


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files("mm.analytics").joinpath("sql", f"{name}.sql").read_text("utf-8")


@cache
def sections(name: str) -> dict[str, str]:
    """The sections of `sql/<name>.sql`, by name."""
    _, *parts = SECTION.split(statement(name))
    return {key: text.strip() for key, text in zip(parts[::2], parts[1::2], strict=True)}
