"""All tables and views there are, in the order in which they can be made, and what each needs.

What a statement needs is read off its own words: too much costs time, too little cannot be. So one
question is answered without laying out everything that others might ask.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from mm.analytics import kinds
from mm.analytics.folded import FOLDS
from mm.analytics.statements import statement
from mm.events.vocabulary import KINDS
from mm.log.columns import TURNS

FILES: Final = {
    "_step": "step",
    "turns": "turns",
    "top": "top",
    "_fill": "fill",
    "fills": "fills",
    "orders": "orders",
    "position": "position",
    "_account_money": "account_money",
    "equity": "equity",
    "quotes_own": "quotes_own",
    "latency": "latency",
}
"""What has a file of its own in `sql/`, each after those that it asks."""
WORD: Final = re.compile(r"\w+")
COMMENT: Final = re.compile(r"--.*")
WHOLE: Final = re.compile(r"\b(show|pragma|duckdb_\w+|information_schema|pg_\w+)\b", re.IGNORECASE)
"""Questions about the tables themselves, whatever they hold."""


@cache
def statements() -> dict[str, str]:
    """The statement that makes each table or view; those that Python fills have none."""
    sources = dict.fromkeys([*map(kinds.source, (*KINDS, TURNS)), *FOLDS], "")
    step = {"_step": statement(FILES["_step"])}
    events = {kinds.VIEWS[tag]: kinds.view(tag) for tag in KINDS}
    return sources | step | events | {name: statement(file) for name, file in FILES.items()}


def needed(asked: str | None) -> set[str]:
    """The tables and views that a question needs; all of them without one."""
    known = statements()
    if asked is None:
        return set(known)
    if WHOLE.search(asked):
        return known.keys() - FOLDS.keys()
    found: set[str] = set()
    waiting = _words(asked) & known.keys()
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= (_words(known[name]) & known.keys()) - found
    return found


def _words(text: str) -> set[str]:
    return set(WORD.findall(COMMENT.sub("", text).lower()))
