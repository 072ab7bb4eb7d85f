"""Fees by volume, of a run in columns: which tier each fill paid by.

A tier's fees become a definition of the instrument, and a fill names the definition that it was
made under, as where the venue revised it: whoever reckons money need not know of tiers. Volume is
counted by what the simulated venue counts it with, fill by fill in the venue's order.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np

from mm.analytics.run import Run, fees_in_words
from mm.sim.fees import Tiers
from mm.sim.settings import Tier


def tiered(run: Run, tiers: Sequence[Tier], volume: Decimal) -> Run:
    """The run with fees by volume, of which so much was traded before it; without tiers, itself."""
    if not tiers:
        return run
    info, fills = run.info, run.fills.copy()
    counted, revisions = Tiers(tiers, volume), list(info.revisions)
    places: dict[tuple[int, int, int], int] = {}
    order = np.argsort(fills["at"], kind="stable").tolist()
    names = ("instrument", "revision", "price", "size")
    columns = [fills[name].tolist() for name in names]
    for fill in order:
        number, revision, price, size = (column[fill] for column in columns)
        stood = info.revisions[revision - 1] if revision else info.instruments[number]
        tier = counted.place(stood)
        counted.add(stood, price, size)
        if not tier:
            continue
        key = (number, revision, tier)
        if key not in places:
            revisions.append(counted.terms(stood, tier))
            places[key] = len(revisions)
        fills["revision"][fill] = places[key]
    fees = fees_in_words(info.instruments, revisions)
    info = msgspec.structs.replace(info, revisions=tuple(revisions), fees=fees)
    return Run(info, run.orders, fills, run.points)
