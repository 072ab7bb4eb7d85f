"""A search by Optuna's TPE sampler, as a chooser of what a sweep tries next.

Trials are asked for in batches of a fixed size, each with a seed of its own, and told in their
order: what is tried follows from the space, the seed and the results alone, not from who finished
first. A search that goes on after a break asks again from the beginning, and is answered from what
was written down. The study is kept as a journal beside the results, for Optuna's own tools; it is
written anew each time.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mm.apps.sweep_space import Parameters, Space
from mm.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import FloatDistribution
    from optuna.study import Study
    from optuna.trial import Trial

BATCH: Final = 8
"""Asked for at a time: a core beyond it has nothing to do."""
DIGITS: Final = 6
"""Significant digits of a value that is searched without a step."""
STUDY: Final = "sweep"


class Search:
    """So many trials in a space, the later ones where the earlier did well."""

    def __init__(self, spaces: Sequence[Space], total: int, seed: int, journal: Path) -> None:
        """Raises `ConfigError` where Optuna is not installed."""
        self.total = total
        self._optuna = _optuna()
        self._seed, self._journal = seed, journal
        self._spaces = {each.key: each for each in spaces}
        self._study: Study | None = None
        self._asked: list[Trial] = []
        self._count = 0

    def batch(self) -> list[Parameters]:
        """The next ones, each drawn by a seed of its own."""
        study = self._study = self._study or self._new_study()
        distributions: Any = {key: self._distribution(each) for key, each in self._spaces.items()}
        self._asked = []
        for _ in range(min(BATCH, self.total - self._count)):
            study.sampler = self._optuna.samplers.TPESampler(seed=self._seed + self._count)
            self._asked.append(study.ask(distributions))
            self._count += 1
        return [
            {key: worded(self._spaces[key], float(value)) for key, value in trial.params.items()}
            for trial in self._asked
        ]

    def tell(self, scores: Sequence[float | None]) -> None:
        """How those of the last batch fared; what failed teaches nothing."""
        assert self._study is not None, "asked before"
        failed = self._optuna.trial.TrialState.FAIL
        for trial, score in zip(self._asked, scores, strict=True):
            if score is None:
                self._study.tell(trial, state=failed)
            else:
                self._study.tell(trial, score)

    def _new_study(self) -> Study:
        optuna = self._optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._journal.unlink(missing_ok=True)
        backend = optuna.storages.journal.JournalFileBackend(str(self._journal))
        study: Study = optuna.create_study(
            study_name=STUDY, direction="maximize", storage=optuna.storages.JournalStorage(backend)
        )
        return study

    def _distribution(self, space: Space) -> FloatDistribution:
        found: FloatDistribution = self._optuna.distributions.FloatDistribution(
            float(space.low),
            float(space.high),
            log=space.log,
            step=float(space.step) if space.step else None,
        )
        return found


def worded(space: Space, value: float) -> str:
    """A value as one would write it: on its grid exactly, else with six digits, within bounds."""
    if space.step:
        exact = space.low + round((Decimal(value) - space.low) / space.step) * space.step
    else:
        exact = Decimal(f"{value:.{DIGITS}g}")
    return format(min(max(exact, space.low), space.high).normalize(), "f")


def _optuna() -> Any:
    try:
        for part in ("samplers", "storages.journal", "distributions", "trial", "logging"):
            importlib.import_module(f"optuna.{part}")
        return importlib.import_module("optuna")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a search needs the package optuna: {error}",
            where="--optuna",
            remedy="install mm with its extra `tune`, or try a --grid",
        ) from error
