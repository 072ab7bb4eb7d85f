"""What a sweep tries: `--grid KEY=VALUE,VALUE…` and `--space KEY=LOW:HIGH[:STEP][:log]`.

Keys are those of the config, dotted, and are set as the environment's would be. A value is kept as
it was written, so that no decimal is rounded on its way; what it is (number, switch, text) only
decides how it is stored and printed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from mm.errors import ConfigError

TRIALS_MAX: Final = 100_000
"""A grid beyond it was not meant."""
LOG: Final = "log"
NUMBER: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
SWITCHES: Final = {"true": True, "false": False}
Parameters = dict[str, str]
"""By dotted key: the values of one trial, as they were written."""
Value = float | bool | str


class Axis(NamedTuple):
    """A key, and the values it takes in turn."""

    key: str
    values: tuple[str, ...]


class Space(NamedTuple):
    """A key, and the range it is searched in; `step` 0: continuous."""

    key: str
    low: Decimal
    high: Decimal
    step: Decimal
    log: bool


def axes_of(given: Sequence[str]) -> list[Axis]:
    """Read the grids of a command line; raises `ConfigError`."""
    axes = []
    for text in given:
        key, values = _split(text, "--grid")
        axes.append(Axis(key, tuple(dict.fromkeys(each.strip() for each in values.split(",")))))
        if not all(axes[-1].values):
            raise _refused(text, "--grid", "a value is missing")
    _once([each.key for each in axes], "--grid")
    return axes


def spaces_of(given: Sequence[str]) -> list[Space]:
    """Read the ranges of a command line; raises `ConfigError`."""
    spaces = [_space(text) for text in given]
    _once([each.key for each in spaces], "--space")
    return spaces


def product(axes: Sequence[Axis]) -> Iterator[Parameters]:
    """Every combination, the last axis changing first; raises `ConfigError` for too many."""
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > TRIALS_MAX:
        raise ConfigError(
            f"the grid has {count:,} points, more than {TRIALS_MAX:,}",
            where="--grid",
            remedy="give fewer values, or search with --optuna",
        )
    for values in itertools.product(*(axis.values for axis in axes)):
        yield {axis.key: value for axis, value in zip(axes, values, strict=True)}


def valued(text: str) -> Value:
    """What a value is: a number, a switch, or text."""
    if text in SWITCHES:
        return SWITCHES[text]
    return float(text) if NUMBER.fullmatch(text) else text


def toml_lines(parameters: Parameters) -> list[str]:
    """The parameters as lines of a config file, a table each."""
    tables: dict[tuple[str, ...], list[str]] = {}
    for key, text in parameters.items():
        *table, last = key.split(".")
        tables.setdefault(tuple(table), []).append(f"{_bare(last)} = {_toml(text)}")
    lines: list[str] = []
    for names, inside in sorted(tables.items(), key=lambda each: len(each[0]) > 0):
        lines += [f"[{'.'.join(map(_bare, names))}]"] if names else []
        lines += inside
    return lines


def _toml(text: str) -> str:
    if text in SWITCHES:
        return text
    if NUMBER.fullmatch(text):
        number = Decimal(text)
        return format(number, "f")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'


def _space(text: str) -> Space:
    key, span = _split(text, "--space")
    low, _, rest = span.partition(":")
    high, *more = rest.split(":")
    log = LOG in more
    steps = [each for each in more if each != LOG]
    numbers = [low, high, *steps]
    if len(steps) > 1 or not all(NUMBER.fullmatch(each) for each in numbers):
        raise _refused(text, "--space", "it is not LOW:HIGH[:STEP][:log]")
    found = Space(key, Decimal(low), Decimal(high), Decimal(steps[0] if steps else 0), log)
    if not found.low < found.high or found.step < 0:
        raise _refused(text, "--space", "its bounds are not in order")
    if log and (found.step or found.low <= 0):
        raise _refused(text, "--space", "a logarithmic range is above 0 and has no step")
    return found


def _split(text: str, option: str) -> tuple[str, str]:
    key, equals, values = text.partition("=")
    if not (key.strip() and equals and values.strip()):
        raise _refused(text, option, "it is not KEY=VALUES")
    return key.strip().replace('"', ""), values.strip()


def _once(keys: list[str], option: str) -> None:
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise _refused(twice, option, "the key is given twice")


def _refused(text: str, option: str, why: str) -> ConfigError:
    return ConfigError(
        f"{text!r} cannot be swept: {why}", where=option, remedy="see `mm replay sweep --help`"
    )
