"""A sweep: many configurations over the same windows, each played once and written down at once.

A chooser names the parameters to try, a batch at a time, and is told how each fared; what it
names may depend on nothing else, so that a sweep that goes on after a break, or runs on more
workers, is the same sweep. Results are written by this process alone, as they come; whoever reads
them sorts by number and window.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mm.apps import config as configs
from mm.apps.config import Config
from mm.apps.sweep_pool import Executor
from mm.apps.sweep_ranking import Candidate, standing
from mm.apps.sweep_results import Place, Results
from mm.apps.sweep_space import Parameters
from mm.apps.sweep_trial import DONE, Outcome, Setup, Trial, key_of
from mm.apps.sweep_window import Window
from mm.apps.sweep_worker import failure
from mm.errors import ConfigError
from mm.sim.setup import unplayable


class Chooser(Protocol):
    """Names what to try next; the same answers lead to the same names."""

    @property
    def total(self) -> int:
        """How many sets of parameters there will be."""
        ...

    def batch(self) -> list[Parameters]:
        """The next ones; none when there are no more."""
        ...

    def tell(self, scores: Sequence[float | None]) -> None:
        """How those of the last batch fared, in their order; None failed."""
        ...


class Grid:
    """Everything in one batch."""

    def __init__(self, points: Sequence[Parameters]) -> None:
        """Take the points in their order."""
        self._points = list(points)
        self.total = len(self._points)

    def batch(self) -> list[Parameters]:
        """All, once."""
        points, self._points = self._points, []
        return points

    def tell(self, scores: Sequence[float | None]) -> None:
        """A grid does not learn."""


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What parameters are laid over: a config's plain values and the environment."""

    plain: dict[str, Any]
    environment: Mapping[str, str]
    where: str

    def built(self, recording: str, parameters: Parameters) -> Config:
        """The configuration of a trial; raises `ConfigError`."""
        feed = {"kind": "recording", "path": recording, "speed": "max"}
        plain = {**self.plain, "feed": feed}
        config = configs.build(plain, self.environment, parameters, where=self.where)
        reason = unplayable(config.engine, config.paper.settings)
        if reason:
            raise ConfigError(
                f"a sweep plays by the compiled pass, which cannot play this: {reason}",
                where=self.where,
                remedy="change the config, or play one run at a time with `mm replay backtest`",
            )
        return config


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A trial that failed, and why."""

    number: int
    parameters: Parameters
    recording: str
    window: int
    error: str


Heard = Callable[[int], None]
"""Called with how many trials ended, none now and then; it may raise to end the sweep."""


class Sweep:
    """One sweep into one file; `played` and `reused` count trials."""

    def __init__(self, base: Base, setup: Setup, results: Results, code: str) -> None:
        """Look up what was finished before."""
        self.played = self.reused = 0
        self.candidates: list[Candidate] = []
        self.failures: list[Failure] = []
        self._base, self._setup, self._results, self._code = base, setup, results, code
        self._named = 0
        self._known = results.known(code)
        self._places: dict[str, Place] = {}
        self._outcomes: dict[str, Outcome] = {}

    def run(self, chooser: Chooser, executor: Executor, objective: str, heard: Heard) -> None:
        """Try everything; raises what `heard` raises, and `ConfigError` where nothing can run."""
        while batch := chooser.batch():
            before = self.reused
            keys = self._submit(batch, executor)
            heard(self.reused - before)
            for outcome in executor.finished():
                if outcome is not None:
                    self._put(outcome)
                    self.played += 1
                heard(int(outcome is not None))
            found = [self._candidate(each) for each in keys]
            chooser.tell([_score(each, objective) for each in found])
            self.candidates += {each.number: each for each in found if self._is_new(each)}.values()
            self._named += len(batch)
        self._collect_failures()

    def _submit(self, batch: Sequence[Parameters], executor: Executor) -> list[list[str]]:
        """Every trial of a batch that is not known yet; the keys of each candidate by window."""
        refused: list[ConfigError] = []
        numbers: dict[str, int] = {}
        keys: list[list[str]] = []
        todo: list[Trial] = []
        for number, parameters in enumerate(batch, self._named):
            keys.append([])
            for place, window in enumerate(self._setup.windows):
                key, trial = self._prepared(number, parameters, place, window)
                keys[-1].append(key)
                numbers[key] = self._places[key].number
                if isinstance(trial, ConfigError):
                    refused.append(trial)
                    self._put(failure(key, trial))
                elif trial is not None:
                    todo.append(trial)
        if refused and len(refused) == len(numbers) and not self._named:
            raise refused[0]
        self._results.renumber({key: numbers[key] for key in numbers if key in self._known})
        for trial in todo:
            executor.submit(trial)
        return keys

    def _prepared(
        self, number: int, parameters: Parameters, place: int, window: Window
    ) -> tuple[str, Trial | ConfigError | None]:
        """A result's key, and what is left to do for it: nothing where it is known."""
        config_hash, todo = "", None
        try:
            config = self._base.built(window.recording, parameters)
        except ConfigError as error:
            key = key_of(_hash(parameters), window, self._setup, self._code)
            todo = error
        else:
            config_hash = config.fingerprint()
            key = key_of(config_hash, window, self._setup, self._code)
        if key in self._places:
            return key, None  # Another way of writing the same parameters.
        self._places[key] = Place(
            number=number,
            window=window,
            windows=len(self._setup.windows),
            parameters=parameters,
            config_hash=config_hash,
            code=self._code,
        )
        if todo is not None:
            return key, todo
        if key in self._known:
            self._outcomes[key] = self._known[key]
            self.reused += 1
            return key, None
        return key, Trial(key=key, window=place, config=config.as_json())

    def _put(self, outcome: Outcome) -> None:
        self._results.put(self._places[outcome.key], outcome)
        self._outcomes[outcome.key] = outcome

    def _candidate(self, keys: Sequence[str]) -> Candidate:
        first = self._places[keys[0]]
        outcomes = [self._outcomes[key] for key in keys]
        return Candidate(
            number=first.number,
            parameters=first.parameters,
            found={
                place: outcome if outcome.status == DONE else None
                for place, outcome in enumerate(outcomes)
            },
        )

    def _is_new(self, candidate: Candidate) -> bool:
        """Whether nobody named these parameters in an earlier batch."""
        return candidate.number >= self._named

    def _collect_failures(self) -> None:
        for key, place in self._places.items():
            outcome = self._outcomes[key]
            if outcome.status != DONE:
                self.failures.append(
                    Failure(
                        number=place.number,
                        parameters=place.parameters,
                        recording=place.window.recording,
                        window=place.window.number,
                        error=outcome.error,
                    )
                )


def _score(candidate: Candidate, objective: str) -> float | None:
    found = standing(candidate, objective)
    return found.score if found is not None else None


def _hash(parameters: Parameters) -> str:
    return hashlib.sha256(msgspec.json.encode(parameters, order="sorted")).hexdigest()
