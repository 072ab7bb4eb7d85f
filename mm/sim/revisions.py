"""Later definitions of a run's instruments: another fee, bound or minimum, while it goes on.

The venue applies a definition as it hears it, before any command that comes later. Desks are
told at the end of the turn in which they hear it: limits and strategies are made anew from their
settings, what strategies remember stays, as in `engine.posts`. Fees are reckoned after the run, by
the definition that stood when each fill was made. Other ticks, lots or kinds are another
instrument.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mm.engine.settings import EngineSettings, limits_of
from mm.errors import BadInput
from mm.events.instrument import InstrumentDefined
from mm.sim.asking import Asker
from mm.sim.compiled_run import Memory
from mm.sim.setup import employed, filters, limit, terms
from mm.sim.world import REVISION

REVISIONS_MAX: Final = (1 << 16) - 1
"""As many as a fill can number."""


class Revisions:
    """The revisions of a run, in the order in which rows name them."""

    def __init__(
        self,
        memory: Memory,
        settings: EngineSettings,
        instruments: Sequence[InstrumentDefined],
        revisions: Sequence[InstrumentDefined],
        asker: Asker | None = None,
    ) -> None:
        """Lay them out for the pass.

        Raises `BadInput` for one that changes what ticks and lots mean, or `ConfigError` for one
        that cannot express the settings.
        """
        self._memory = memory
        self._settings = settings
        self._revisions = revisions
        self._asker = asker
        self._instruments = list(instruments)
        self._places = {each.instrument: place for place, each in enumerate(instruments)}
        if len(revisions) > REVISIONS_MAX:
            raise BadInput(
                f"{len(revisions):,} revisions of instruments are more than fills can number",
                where="the recording",
                remedy=f"play parts of it with at most {REVISIONS_MAX:,}",
            )
        memory.revisions = np.zeros(len(revisions), REVISION)
        memory.revisions["fills"] = -1
        for number, revision in enumerate(revisions):
            place = self._places[revision.instrument]
            require_same(instruments[place], revision)
            employed(settings, [revision])
            if revision.name in settings.limits:
                limits_of(settings.limits[revision.name], revision)
            filters(memory.revisions[number], revision)
        memory.refresh()

    def take(self) -> None:
        """What was heard in this turn holds for the desks from now on."""
        heard = self._memory.revisions["heard"]
        for number in np.flatnonzero(heard).tolist():
            heard[number] = 0
            self._take(self._revisions[number])

    def _take(self, revision: InstrumentDefined) -> None:
        memory, settings = self._memory, self._settings
        place = self._places[revision.instrument]
        self._instruments[place] = revision
        row, limits = memory.instruments[place], settings.limits.get(revision.name)
        filters(row, revision)
        if limits is not None:
            limit(row, revision, limits_of(limits, revision))
        for desk, (where, _, strategy) in enumerate(employed(settings, self._instruments)):
            if where == place:
                terms(memory, desk, strategy)
                memory.desks["settled"][desk] = 0
                if self._asker is not None:
                    self._asker.adopt(desk, revision, strategy)

    def number(self) -> None:
        """Write down at every fill of the run which revision stood when it was made."""
        memory = self._memory
        fills = memory.fills[: memory.clock["fills"][0]]
        since = memory.revisions["fills"]
        order = np.argsort(since, kind="stable")
        for number in order[since[order] >= 0].tolist():
            place = self._places[self._revisions[number].instrument]
            later = fills[since[number] :]
            later["revision"][later["instrument"] == place] = number + 1


def require_same(known: InstrumentDefined, revision: InstrumentDefined) -> None:
    """Raise `BadInput` for a revision that is another instrument."""
    if known.identity != revision.identity:
        raise BadInput(
            f"{revision.name} changes its name, its kind or its steps while it is traded",
            where=f"instrument {revision.instrument}, revision {revision.revision}",
            remedy="define it under a new id: lots and ticks of the old one keep their meaning",
        )
