"""Two processes, as a person starts them: an emulated venue, and a desk that trades there."""

from __future__ import annotations

import json
import re
import ssl
import time
from contextlib import ExitStack, closing
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, Any

import pytest

from tests.apps.processes import PATIENCE, mm, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIG = """
desk = "real"
status_every = "1s"

[feed]
kind = "venue"
venue = "binance"
symbols = ["BTCUSDT"]

[venue]
name = "binance"

[strategies.maker]
kind = "symmetric"
instrument = "binance:BTCUSDT"
order_size = 0.05
position_max = 0.5
half_spread_bps = 0.15
levels = 2
level_spacing_bps = 0.3
refresh = "250ms"

[limits."binance:BTCUSDT"]
order_size_max = 0.5
order_notional_max = 50000
position_max = 1
open_orders_max = 20
price_collar_bps = 50
messages_per_second_max = 20
"""


class Emulated:
    """A venue in a process of its own, and what it says of our account."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Know the lines that it printed."""
        self.environment = environment
        address, _, port = environment["MM_RESOLVE"].partition(":")
        self._address, self._port = address, int(port)
        self._context = ssl.create_default_context(cafile=environment["MM_CA_FILE"])
        self._context.check_hostname = False

    def account(self) -> dict[str, Any]:
        """Open orders and fills."""
        line = HTTPSConnection(self._address, self._port, context=self._context)
        with closing(line):
            line.request("GET", "/state", headers={"Host": "emulator.local"})
            state: dict[str, Any] = json.load(line.getresponse())
        (account,) = state["venues"]["binance"]["accounts"].values()
        found: dict[str, Any] = account
        return found

    def waits(self, done: Callable[[dict[str, Any]], bool]) -> None:
        """Until it says so."""
        give_up = time.monotonic() + PATIENCE
        while not done(self.account()):
            assert time.monotonic() < give_up, self.account()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """`mm emulate binance --synthetic`."""
    data = tmp_path_factory.mktemp("emulator")
    with ExitStack() as stack:
        process = stack.enter_context(
            started("emulate", "binance", "--synthetic", "--port", 0, "--data", data)
        )
        assert process.stdout is not None
        found: dict[str, str] = {}
        while len(found) < 4:
            line = process.stdout.readline()
            assert line, "the emulator ended"
            if told := re.match(r"export (\w+)=(.*)", line):
                found[told[1]] = told[2]
        yield Emulated(found)


def config(path: Path) -> Path:
    """The desk's config."""
    file = path / "live.toml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def agree(emulated: Emulated, data: Path, **environment: str) -> None:
    """The log is verified to the byte, and has the venue's fills and no order left behind."""
    verified = mm("replay", "verify", "real", "--data", data, "--json", **environment)
    assert verified.returncode == 0, verified.stderr
    counted = mm("log", "stats", "real", "--data", data, "--json", **environment)
    fills = [row for row in json.loads(counted.stdout)["kinds"] if row["kind"] == "order.filled"]
    account = emulated.account()
    assert account["open"] == 0
    assert sum(row["events"] for row in fills) == account["fills"]


def test_a_desk_that_is_killed_adopts_its_orders(emulated: Emulated, tmp_path: Path) -> None:
    """Quotes and fills, kill -9, fills meanwhile, another session, a clean stop, verified."""
    file, environment = config(tmp_path), emulated.environment
    check = mm("venue", "check", "binance", **environment)
    assert check.returncode == 0, check.stdout + check.stderr
    with started("live", file, "--data", tmp_path, **environment) as desk:
        emulated.waits(lambda account: account["fills"] >= 1 and account["open"] >= 2)
        desk.kill()
        desk.wait()
    assert emulated.account()["open"], "what rests, rests"
    ended = mm("live", file, "--data", tmp_path, "--seconds", 5, "--json", **environment)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["ended"]["open"] == 0
    agree(emulated, tmp_path, **environment)
