"""What a session refuses to start with: one message that says what, where and what to do.

Each case is the real command line, within this process in `make test` and in a process of its own
in a storm; the ranges of numbers, of which there are many, are tried on the config alone.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nats
import pytest

from mm.apps import logs
from mm.apps.config import build, load
from mm.apps.wiring import feed_of
from mm.errors import ConfigError
from mm.events.units import Nanos
from mm.log.connection import LinkOptions
from tests.apps.processes import RUN, Ran, here, mm, refused
from tests.log.foreign import jetstream, nats_server, speaking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Live = Callable[..., Ran]

CONFIG: Final = """
desk = "bad"
seed = 7
duration = "1s"

[feed]
kind = "synthetic"
speed = "1"

[strategies.maker]
kind = "symmetric"
instrument = "synthetic:BTC-USDT"
order_size = 0.05
position_max = 0.5
half_spread_bps = 0.6
levels = 2
skew_bps = 1.5
refresh = "250ms"

[limits."synthetic:BTC-USDT"]
order_size_max = 0.5
order_notional_max = 50000
position_max = 1
open_orders_max = 20
price_collar_bps = 50
messages_per_second_max = 200
"""
YAML: Final = """
desk: bad
seed: 7
duration: 1s
feed: {kind: synthetic, speed: "1"}
strategies:
  maker:
    kind: symmetric
    instrument: synthetic:BTC-USDT
    order_size: 0.05
    position_max: 0.5
    half_spread_bps: 0.6
    levels: 2
    skew_bps: 1.5
    refresh: 250ms
limits:
  synthetic:BTC-USDT:
    order_size_max: 0.5
    order_notional_max: 50000
    position_max: 1
    open_orders_max: 20
    price_collar_bps: 50
    messages_per_second_max: 200
"""
CANARY: Final = "hunter2-canary"
NO_PROGRAM: Final = "import mm.log.program as p; p.WHEEL = 'no-such-wheel'; " + RUN
NO_ROOM: Final = (
    "import shutil; usage = shutil.disk_usage; "
    "shutil.disk_usage = lambda path: usage(path)._replace(free=5 << 20); " + RUN
)


def written(tmp_path: Path, old: str = "", new: str = "") -> Path:
    """The config with one thing changed."""
    assert old in CONFIG
    path = tmp_path / "bad.toml"
    path.write_text(CONFIG.replace(old, new) if old else CONFIG)
    return path


def arguments(tmp_path: Path, config: Path) -> tuple[Any, ...]:
    """The command line of a session of this config."""
    return ("live", config, "--paper", "--data", tmp_path / "data")


@pytest.fixture(params=["here", pytest.param("process", marks=pytest.mark.storm)])
def live(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Runs a session of a config, in this process or in its own."""
    own = request.param == "process"
    if not own:
        monkeypatch.setattr(logs, "LINK", LinkOptions(connect_seconds_max=1.0))

    def run(config: Path, *options: str, **given: str) -> Ran:
        return (mm if own else here)(*arguments(tmp_path, config), *options, **given)

    return run


def plain(**changes: Any) -> dict[str, Any]:
    """The config's values, those at dotted paths (`__`) changed."""
    values = tomllib.loads(CONFIG)
    for path, value in changes.items():
        *tables, last = path.split("__")
        inner: Any = values
        for table in tables:
            inner = inner[BTC if table == "btc" else table]
        inner[last] = value
    return values


BTC: Final = "synthetic:BTC-USDT"


CONFIGS: Final = {
    "a missing limit": (
        "position_max = 1\n",
        "",
        ["missing required field `position_max`", "limits", "bad.toml"],
    ),
    "a duration without unit": (
        'refresh = "250ms"',
        "refresh = 250",
        ["write a number and a unit, such as '250ms'", "refresh"],
    ),
    "a typo in a key": (
        "half_spread_bps",
        "half_spred_bps",
        ["unknown field `half_spred_bps`", "did you mean `half_spread_bps`?"],
    ),
    "an unknown kind of strategy": (
        '"symmetric"',
        '"symetric"',
        ["'symetric'", "did you mean `symmetric`?"],
    ),
    "an instrument without limits": (
        'limits."synthetic:BTC-USDT"',
        'limits."synthetic:ETH-USDT"',
        ["no limits for synthetic:BTC-USDT", "set every limit"],
    ),
    "a limit of zero": (
        "order_size_max = 0.5",
        "order_size_max = 0",
        ["order_size_max = 0", "above 0"],
    ),
    "a size that is no number": (
        "order_size = 0.05",
        "order_size = nan",
        ["strategies.maker.order_size = NaN"],
    ),
    "a size no lot can make": (
        "order_size = 0.05",
        "order_size = 0.0505",
        ["not a whole number of lots of 0.001", "multiple of the lot size"],
    ),
    "a desk that is a path": ('"bad"', '"../evil"', ["cannot name a stream"]),
    "a broken file": ("[feed]", "[feed", ["not a readable config", "bad.toml"]),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_bad_config_is_refused(live: Live, tmp_path: Path, case: str) -> None:
    """It names the field and what would be right; nothing was created."""
    old, new, words = CONFIGS[case]
    refused(live(written(tmp_path, old, new)), 2, "ConfigError: ", *words)
    assert not (tmp_path / "data").exists()


def test_an_instrument_the_feed_lacks_is_refused(live: Live, tmp_path: Path) -> None:
    """It names those that there are, before a log is opened."""
    config = tmp_path / "bad.toml"
    config.write_text(CONFIG.replace("BTC-USDT", "ETH-USDT"))
    ran = live(config)
    refused(ran, 2, "strategy maker quotes synthetic:ETH-USDT", "choose one of synthetic:BTC-USDT")
    assert not (tmp_path / "data").exists()


def test_errors_are_json_for_programs(live: Live, tmp_path: Path) -> None:
    """With --json stdout holds the same as one document."""
    ran = live(written(tmp_path, "levels = 2", "levels = 0"), "--json")
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["exit_code"], told["error"]) == (2, 2, "ConfigError")
    assert told["what"].startswith("strategies.maker.levels = 0")
    assert told["where"]
    assert told["remedy"]


def test_without_paper_a_venue_has_to_be_named(tmp_path: Path) -> None:
    """An account that the config names, on its venue's own feed."""
    refused(mm("live", written(tmp_path)), 2, "names no venue", "add a [venue] table", "--paper")
    config = written(
        tmp_path, "[strategies.maker]", '[venue]\nname = "binance"\n[strategies.maker]'
    )
    refused(mm("live", config), 2, "its venue's own feed", 'kind = "venue"')


def test_a_missing_recording_is_refused(live: Live, tmp_path: Path) -> None:
    """The feed names a recording that is not there."""
    config = written(tmp_path, 'kind = "synthetic"', 'kind = "recording"\npath = "nowhere"')
    told = ("SessionError", "feed.path = 'nowhere'", "data/nowhere", "bad.toml, feed.path")
    refused(live(config), 3, *told, "mm import", "mm record", "mm log ls")


FILES: Final = {
    "missing": (None, "No such file"),
    "directory": ("dir", "Is a directory"),
    "binary.toml": (b"\xff\xfe\x00", "not a readable config"),
    "tab.yaml": (b"desk:\t- x\n\t\ty: [", "not a readable config"),
    "list.yaml": (b"- desk\n- feed\n", "a config is a table"),
    "empty.yaml": (b"", "a config is a table"),
    "empty.toml": (b"", "missing required field `desk`"),
}


@pytest.mark.parametrize("name", FILES)
def test_unreadable_files_are_refused(tmp_path: Path, name: str) -> None:
    """Whatever the file holds, there is one typed error that names it."""
    content, words = FILES[name]
    path = tmp_path / name
    if content == "dir":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load(path, {}, {})
    assert str(path) in caught.value.where
    assert caught.value.remedy


def test_toml_and_yaml_mean_the_same(tmp_path: Path) -> None:
    """One config in both notations has one fingerprint."""
    (tmp_path / "bad.yaml").write_text(YAML)
    both = [load(written(tmp_path), {}, {}), load(tmp_path / "bad.yaml", {}, {})]
    assert both[0].fingerprint() == both[1].fingerprint()


NUMBERS: Final = [0, -1, "nan", "inf", "-inf", 1e300, "1e999", "many", None, [], True]
SIZES: Final = [
    *(f"strategies__maker__{name}" for name in ("order_size", "position_max")),
    *(
        f"limits__btc__{name}"
        for name in (
            "order_size_max",
            "order_notional_max",
            "position_max",
            "open_orders_max",
            "price_collar_bps",
            "messages_per_second_max",
        )
    ),
]
OTHERS: Final[dict[str, list[Any]]] = {
    "strategies__maker__half_spread_bps": [0, -0.1, "nan", "inf", 1e300],
    "strategies__maker__levels": [0, -1, 2.5, 10**9],
    "strategies__maker__skew_bps": [-0.1, "nan", "inf"],
    "strategies__maker__hedge_above": [-1, "nan"],
    "strategies__maker__refresh": [5, "5", "5 parsecs", "-1s", "999999h", "nans"],
    "seed": [-1, 2**63, 1.5, "x"],
    "duration": [5, "1 year", "99999999999h", "-5s"],
    "status_every": ["0s", "1ms"],
    "feed__speed": [
        0,
        -1,
        float("nan"),
        float("inf"),
        True,
        [1],
        "0",
        "-1",
        "nan",
        "inf",
        "1e300",
        "1e-300",
        "fast",
        "",
    ],
    "log": [{"ack_timeout": "0s"}, {"append_timeout": "999h"}, {"sync": 1}, {"sink": "always"}],
    "paper": [
        {"latency": "warp"},
        {"entry": ["2s", "1s"]},
        {"entry": ["1s", "99999999999h"]},
        {"place": ["2s", "1s"]},
        {"cancel": ["1s", "2h"]},
        {"entry": ["1s", "1s"], "entry_sample": ["1s"]},
        {"response_sample": ["-1s"]},
        {"entry_sample": ["2h"]},
        {"entry_sample": ["1ms"] * 2_001},
        {"measured": [[2, 1, 3]]},
        {"measured": [[1, 2]]},
        {"queue": "fifo"},
        {"queue_power": 0},
        {"matching": "pro-rata"},
        {"arrivals": {"rate": -1}},
        {"arrivals": {"step": "1us"}},
        {"open_orders_max": 0},
        {"balances": {"USDT": "nan"}},
        {"balances": {"USDT": -1}},
    ],
}


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_limits_and_sizes_must_be_sensible(field: str, value: Any) -> None:
    """Zero, negative, not a number, beyond all bounds, or no number at all: refused by name."""
    if value is True:
        return  # One is a size.
    with pytest.raises(ConfigError, match=field.rpartition("__")[2]):
        build(plain(**{field: value}), {}, {}, where="test")


@pytest.mark.parametrize("field", OTHERS)
def test_other_values_must_be_sensible(field: str) -> None:
    """Each value that nobody can mean is refused, none of them by a traceback."""
    name = field.rpartition("__")[2].partition("_")[0]
    for value in OTHERS[field]:
        with pytest.raises(ConfigError) as caught:
            build(plain(**{field: value}), {}, {}, where="test")
        told = f"{caught.value.what} {caught.value.where}"
        assert name in told, value
        assert caught.value.remedy


@pytest.mark.parametrize(
    "market",
    [{"messages_per_second": 0}, {"levels": 1}, {"price": "nan"}, {"price": 0.5}, {"tick": 1}],
)
def test_a_market_that_cannot_be_is_refused(market: dict[str, Any]) -> None:
    """A synthetic market with impossible settings is refused too."""

    def played() -> None:
        config = build(plain(feed__market=market), {}, {}, where="test")
        feed_of(config, Nanos(0))

    with pytest.raises(ConfigError):
        played()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MM_FEEED__SPEED", "MM_FEEED__SPEED sets no key"),
        ("MM_FEED__SPED", "MM_FEED__SPED sets no key"),
        ("MM_DESK__NAME", "holds a value, not a table"),
        ("MM_SEED", "seed"),
    ],
)
def test_a_variable_that_means_nothing_is_refused(name: str, words: str) -> None:
    """An override of the environment is checked like the file."""
    with pytest.raises(ConfigError) as caught:
        build(plain(), {name: "x"}, {}, where="test")
    assert words in caught.value.what


def test_without_a_program_there_is_no_server(tmp_path: Path) -> None:
    """Neither wheel nor PATH has a nats-server."""
    ran = mm(*arguments(tmp_path, written(tmp_path)), code=NO_PROGRAM, PATH="")
    refused(ran, 4, "ServerMissing", "neither the wheel", "set NATS_URL")


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    """Too little room to start is said before anything is written."""
    ran = mm(*arguments(tmp_path, written(tmp_path)), code=NO_ROOM)
    refused(ran, 4, "DiskTooSmall", "5 MiB are free", "free some space")


def test_a_bad_sync_interval_is_refused(live: Live, tmp_path: Path) -> None:
    """How durable the log is must be one of what the server knows."""
    config = tmp_path / "bad.toml"
    config.write_text(CONFIG + '\n[log]\nsync = "sometimes"\n')
    refused(live(config), 2, "'sometimes' is no sync interval", "50ms")


def test_a_server_without_jetstream_is_refused(live: Live, tmp_path: Path) -> None:
    """NATS_URL's server cannot hold a log."""
    with nats_server(tmp_path) as port:
        ran = live(written(tmp_path), NATS_URL=f"nats://127.0.0.1:{port}")
    refused(ran, 4, "JetStreamDisabled")


def test_a_server_with_too_little_room_is_refused(live: Live, tmp_path: Path) -> None:
    """Its store is smaller than what the streams may need."""
    small = {**jetstream(tmp_path), "max_file_store": 1 << 20}
    with nats_server(tmp_path, jetstream=small) as port:
        ran = live(written(tmp_path), NATS_URL=f"nats://127.0.0.1:{port}")
    refused(ran, 4, "DiskTooSmall")


async def test_an_old_server_is_refused(live: Live, tmp_path: Path) -> None:
    """It lacks what the chain relies on."""
    info = {"server_id": "x", "version": "2.9.1", "max_payload": 1 << 20, "jetstream": True}
    async with speaking(info) as (port, _heard):
        config = written(tmp_path)
        url = f"nats://127.0.0.1:{port}"
        ran = await asyncio.to_thread(live, config, NATS_URL=url)
    refused(ran, 4, "ServerTooOld", "2.9.1", "2.12")


async def test_other_stream_settings_are_refused(live: Live, tmp_path: Path) -> None:
    """A stream of that name that expires or overwrites turns is no log; it is left as it is."""
    with nats_server(tmp_path, jetstream=jetstream(tmp_path)) as port:
        nc = await nats.connect(f"nats://127.0.0.1:{port}")
        await nc.jetstream().add_stream(name="MM_bad", subjects=["mm.bad.*"], max_age=60)
        url = f"nats://127.0.0.1:{port}"
        ran = await asyncio.to_thread(live, written(tmp_path), NATS_URL=url)
        info = await nc.jetstream().stream_info("MM_bad")
        await nc.close()
    refused(ran, 4, "StreamMismatch", "max_age")
    assert info.config.max_age == 60


@contextmanager
def guarded(tmp_path: Path) -> Iterator[str]:
    """A server that asks for a password; yields its address."""
    users = {"users": [{"user": "mm", "password": "right"}]}
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), authorization=users) as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize("way", ["variable", "address"])
def test_a_refused_login_keeps_the_secret(live: Live, tmp_path: Path, way: str) -> None:
    """A wrong password is said to be wrong, and is nowhere to be read."""
    with guarded(tmp_path) as address:
        given = {"NATS_URL": f"nats://{address}", "NATS_USER": "mm", "NATS_PASSWORD": CANARY}
        if way == "address":
            given = {"NATS_URL": f"nats://mm:{CANARY}@{address}"}
        ran = live(written(tmp_path), **given)
    refused(ran, 4, "LoginRefused")
    assert CANARY not in everything(ran, tmp_path / "data")


def test_a_session_keeps_the_secret(tmp_path: Path) -> None:
    """A session that works writes its password nowhere: not printed, logged, archived or kept."""
    users = {"users": [{"user": "mm", "password": CANARY}]}
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), authorization=users) as port:
        url = f"nats://127.0.0.1:{port}"
        given = {"NATS_URL": url, "NATS_USER": "mm", "NATS_PASSWORD": CANARY}
        ran = mm(*arguments(tmp_path, written(tmp_path)), **given)
    assert ran.returncode == 0, ran.stderr  # The config that all cases change is a good one.
    assert CANARY not in everything(ran, tmp_path / "data")
    assert CANARY.encode() not in b"".join(contents(tmp_path / "foreign_store"))


def test_a_sync_that_does_not_apply_is_noted(live: Live, tmp_path: Path) -> None:
    """NATS_URL's server flushes as it was told, not as `log.sync` says."""
    note = "log.sync = always does not apply"
    assert note not in live(written(tmp_path)).stderr
    with nats_server(tmp_path, jetstream=jetstream(tmp_path)) as port:
        ran = live(
            written(tmp_path), "--json", NATS_URL=f"nats://127.0.0.1:{port}", MM_DESK="other"
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count(note) == 1
    assert "sync_interval" in ran.stderr
    json.loads(ran.stdout)


def test_a_traceback_keeps_the_secret(tmp_path: Path) -> None:
    """A bug of ours in the middle of the login prints a traceback without it."""
    broken = (
        "import mm.log.connection as c\n"
        "async def broken(nc, access, options, watcher):\n    assert access.password == ''\n"
        "c._log_in = broken\n" + RUN
    )
    given = {"NATS_URL": "127.0.0.1:1", "NATS_USER": "mm", "NATS_PASSWORD": CANARY}
    ran = mm(*arguments(tmp_path, written(tmp_path)), code=broken, **given)
    assert "Traceback" in ran.stderr
    assert CANARY not in everything(ran, tmp_path / "data")


def everything(ran: Ran, data: Path) -> str:
    """All that a command printed and wrote."""
    text = b"".join(contents(data)).decode(errors="replace")
    return ran.stdout + ran.stderr + text


def contents(folder: Path) -> list[bytes]:
    """Every file below a folder."""
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def test_nobody_at_the_address(live: Live, tmp_path: Path) -> None:
    """NATS_URL's server does not answer: said within the time allowed for connecting."""
    ran = live(written(tmp_path), NATS_URL="nats://127.0.0.1:9")
    refused(ran, 4, "127.0.0.1:9")
