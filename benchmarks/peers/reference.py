"""What hftbacktest's maker did on some events, as arrays: what another simulator is held against.

Everything is in ticks, lots and nanoseconds, but for the account: position, balance and fee are the
library's floats, summed fill by fill in the order of its answers. `fills` are in the venue's order,
by order where they are simultaneous.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.contestants import Contestant, Day, run
from benchmarks.peers.environments import HFTBACKTEST

Records = npt.NDArray[Any]


@dataclass(frozen=True)
class Rule:
    """How the maker quotes, and the venue it quotes at; ticks, lots and nanoseconds.

    `queue`: risk, power, power2, power3, log or log2; `power`: the exponent of the power forms.
    """

    half: float = 2.0
    skew: float = 0.5
    qty: int = 10
    most: int = 100
    entry_ns: int = 1_000_000
    response_ns: int = 1_000_000
    queue: str = "risk"
    power: float = 3.0

    @property
    def round_trip_ns(self) -> int:
        """From a command to its answer."""
        return self.entry_ns + self.response_ns

    def options(self) -> tuple[str, ...]:
        """The rule on the command line."""
        maker = ("--half", self.half, "--skew", self.skew, "--qty", self.qty)
        latency = ("--entry-ns", self.entry_ns, "--response-ns", self.response_ns)
        venue = ("--max-position", self.most, "--queue", self.queue, "--power", self.power)
        return tuple(str(word) for word in (*maker, *latency, *venue))


@dataclass(frozen=True)
class Reference:
    """All that the maker did: `at`, `id`, `price`, `side` of orders, `at` and `id` of cancels.

    Fills have `venue` (time), `id`, `price`, `lots`, `side` and `maker`; orders count from 1.
    """

    orders: Records
    cancels: Records
    fills: Records
    account: dict[str, float]


def reference(day: Day, rule: Rule, python: Path, limit: int | None = None) -> Reference:
    """Play the first `limit` events of a day, or all, under a rule; raises `Failed`.

    `python` is that of the peer's environment, see `environments.existing`.
    """
    part = () if limit is None else ("--limit", str(limit))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "reference.npz"
        command = ("-m", "benchmarks.peers.hft", "maker", *rule.options(), *part)
        told = Contestant("reference", "maker", (*command, "--dump", str(file)), HFTBACKTEST)
        run(told, python, day)
        with np.load(file) as kept:
            arrays = {name: kept[name] for name in ("orders", "cancels", "fills")}
            return Reference(**arrays, account=json.loads(str(kept["account"])))
