"""`mm emulate`: the right instruments at the right venue, keys, and a clean end."""

import asyncio
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mm.apps.emulating import Emulation, Settings, keys_from, opening
from mm.emulator.exchange import Keys
from mm.errors import ConfigError
from mm.events.instrument import ContractKind
from mm.events.units import InstrumentId, Nanos
from mm.gateways.recorder import Recorder
from mm.gateways.recordings import new_recording
from tests.apps.desks import Cli
from tests.emulator.venue import BTCUSDT, book, perpetual, spot

KEYS = Keys("key", "secret")
ALONE = "import sys; from mm.apps.cli import main; sys.exit(main(sys.argv[1:]))"


def asked(**changes: Any) -> Settings:
    """Binance, synthetic."""
    return Settings(**{"venues": ("binance",), "start": Nanos(10**18), **changes})


def recorded(path: Path, *instruments: Any) -> Path:
    """A recording of these, with a book of the first."""
    with new_recording(path) as writer:
        recorder = Recorder(writer)
        recorder.turn(Nanos(1), list(instruments))
        recorder.turn(Nanos(2), [book(100, (100, 5), (101, 5))])
    return path


async def test_each_venue_has_a_market_and_an_account_of_its_own() -> None:
    """One pair of keys opens both; credentials are named as a client reads them."""
    emulation = Emulation(asked(venues=("binance", "binance_usdm")), KEYS)
    first, second = emulation.fronts
    assert first.exchange is not second.exchange
    assert [list(front.exchange.accounts) for front in emulation.fronts] == [["key"], ["key"]]
    assert emulation.environment()["MM_BINANCE_USDM_SECRET"] == "secret"


async def test_of_a_recording_each_venue_plays_its_own_instruments(tmp_path: Path) -> None:
    """By the venue's name."""
    other = perpetual(instrument=InstrumentId(2), venue="binance_usdm")
    path = recorded(tmp_path / "both", spot(venue="binance"), other)
    emulation = Emulation(asked(venues=("binance", "binance_usdm"), recording=path), KEYS)
    kinds = [
        [listing.instrument.kind for listing in front.exchange.listings.values()]
        for front in emulation.fronts
    ]
    assert kinds == [[ContractKind.SPOT], [ContractKind.LINEAR]]


async def test_a_recording_of_another_venue_is_played_where_the_kind_is_right(
    tmp_path: Path,
) -> None:
    """And refused where nothing is."""
    path = recorded(tmp_path / "spot", spot(venue="elsewhere"))
    (front,) = Emulation(asked(recording=path), KEYS).fronts
    (listing,) = front.exchange.listings.values()
    assert listing.instrument.name == "binance:BTCUSDT"
    with pytest.raises(ConfigError, match="elsewhere:BTCUSDT"):
        Emulation(asked(venues=("binance_usdm",), recording=path), KEYS)


async def test_an_instrument_gets_the_bounds_that_a_recording_does_not_tell(
    tmp_path: Path,
) -> None:
    """Those it tells stay."""
    path = recorded(tmp_path / "spot", spot(notional_min=Decimal(7)))
    (front,) = Emulation(asked(recording=path), KEYS).fronts
    terms = front.exchange.listing(BTCUSDT).instrument
    assert terms.notional_min == 7
    assert terms.size(terms.size_max) == 9_000


def test_an_account_begins_with_something_of_everything() -> None:
    """Both sides of a spot pair, the margin of a contract."""
    assert opening([spot()]) == {"BTC": 10, "USDT": 1_000_000}
    assert opening([perpetual()]) == {"USDT": 1_000_000}


def test_keys_are_given_or_made() -> None:
    """Both halves, or none."""
    given = {"MM_EMULATOR_KEY": "a", "MM_EMULATOR_SECRET": "b"}
    assert keys_from(given) == Keys("a", "b")
    assert keys_from({}) != keys_from({})
    assert keys_from({}).secret not in repr(keys_from({}))
    with pytest.raises(ConfigError, match="one of key and secret"):
        keys_from({"MM_EMULATOR_KEY": "a"})


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("binance",), "either recorded or made up"),
        (("nowhere", "--synthetic"), "'nowhere' cannot be emulated"),
        (("binance", "--synthetic", "--speed", "0"), "--speed"),
        (("binance", "--synthetic", "--balance", "USDT:5"), "no balance"),
        (("binance", "--synthetic", "--faults", "absent.json"), "cannot be read"),
        (("binance", "--recording", "absent"), "no session or recording"),
    ],
)
def test_what_cannot_be_emulated_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], what: str
) -> None:
    """Before anything listens."""
    mm = Cli(capsys)
    assert mm("emulate", *arguments) == ""
    assert what in mm.err


async def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    """It prints what a client needs, says how it stands, and ends with 0."""
    command = ("emulate", "binance", "--synthetic", "--port", "0", "--status", "0.1")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ALONE, *command, "--data", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    said = (await process.stdout.readuntil(b"Ctrl-C ends it.\n")).decode()
    assert "api.binance.com" in said
    assert f"export MM_CA_FILE={tmp_path}/emulator/ca.pem" in said
    assert b"binance BTCUSDT" in await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest = await process.stdout.read()
    assert rest.splitlines()[-1].startswith(b"closed. binance")
    assert await process.wait() == 0
