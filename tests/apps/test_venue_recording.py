"""A venue recorded with its raw frames: parsed anew they say the same, and a change is shown."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from mm.apps.regression import Regression, regress
from mm.apps.venue_config import VenueFeedConfig
from mm.apps.venue_recording import LiveRecording
from mm.emulator.binance.spot import SpotFront
from mm.errors import BadInput, ConfigError
from mm.events.units import Nanos
from mm.gateways import raw_frames
from mm.gateways.market_port import Frame
from mm.gateways.network import NetworkSettings
from mm.gateways.raw_frames import RawHead, RawWriter, entries
from mm.gateways.recorder import Recorder
from mm.gateways.recordings import new_recording
from tests.apps.test_live_venue import busy
from tests.emulator.venue import opened, reached, spot
from tests.gateways.live_market import Truth


async def recorded(folder: Path) -> tuple[Path, Path]:
    """A recording of a venue with a broken frame and a cut in it, and its raw frames."""
    exchange, _ = opened(spot())
    truth, out, raw = Truth(exchange), folder / "btc", folder / "btc.raw"
    async with reached(SpotFront(exchange)) as there:
        environment = there.running.environment
        network = NetworkSettings(resolve=environment["MM_RESOLVE"], ca=environment["MM_CA_FILE"])
        chosen = VenueFeedConfig(
            venue="binance", symbols=("BTCUSDT",), channels=("book", "quotes", "fills")
        )
        recording = LiveRecording(chosen, network, None, raw)
        playing = asyncio.create_task(busy(truth))

        async def trouble() -> None:
            await asyncio.sleep(1)
            for socket in there.running.hub.sockets:
                socket.send("", b'{"stream":"btcusdt@depth@100ms","data":{')
            await asyncio.sleep(1.5)
            for socket in there.running.hub.sockets:
                socket.cut()
            await asyncio.sleep(2)
            recording.stop()

        troubling = asyncio.create_task(trouble())
        with new_recording(out) as writer:
            await recording._run(Recorder(writer), lambda _seconds: None)
        playing.cancel()
        await troubling
    (figures,) = recording.report()
    assert figures["gaps"] > 1
    return out, raw


async def test_raw_frames_say_the_same_again(tmp_path: Path) -> None:
    """Through a malformed frame and a reconnect, every recorded fact is parsed anew; none more."""
    out, raw = await recorded(tmp_path)
    result = await asyncio.to_thread(regress, raw, out)
    assert result.differences == ()
    assert result.same == result.recorded == result.parsed > 20
    assert result.unread == 1
    assert result.kinds["feed.gap"] > 1
    lost: Regression = _without_a_frame(raw, out)
    assert lost.differences
    assert lost.same < result.same


def _without_a_frame(raw: Path, out: Path) -> Regression:
    """The same with one frame of depth left out of the raw frames."""
    (file,) = raw.glob("frames-*.gz")
    kept: list[raw_frames.Entry] = []
    left = False
    for entry in entries(raw):
        if not left and len(kept) > 20 and b"@depth" in entry.body:
            left = True
            continue
        kept.append(entry)
    with gzip.open(file, "wb") as body:
        for entry in kept:
            packed = raw_frames._encode(tuple(entry))
            body.write(len(packed).to_bytes(4, "big") + packed)
    return regress(raw, out)


def test_files_are_bounded_and_in_order(tmp_path: Path) -> None:
    """A file that is full is followed by another; what comes back is what went in."""
    head = RawHead(venue="binance", symbols=("BTCUSDT",))
    writer = RawWriter(tmp_path / "raw", head, file_bytes_max=200)
    frames = [Frame(Nanos(n), "public-1", b"x" * 50) for n in range(10)]
    for each in frames:
        writer.frame(each)
    writer.close()
    assert len(list((tmp_path / "raw").glob("frames-*.gz"))) > 2
    found: list[Any] = list(entries(tmp_path / "raw"))
    assert [Frame(e.received, e.channel, e.body) for e in found] == frames
    assert raw_frames.head_of(tmp_path / "raw") == head
    with pytest.raises(ConfigError, match="already"):
        RawWriter(tmp_path / "raw", head)


def test_a_file_cut_off_is_named(tmp_path: Path) -> None:
    """What was damaged on the disk is bad input, with the file's name."""
    writer = RawWriter(tmp_path / "raw", RawHead(venue="binance", symbols=("BTCUSDT",)))
    for n in range(1_000):
        writer.frame(Frame(Nanos(n), "public-1", str(n * n).encode()))
    writer.close()
    (file,) = (tmp_path / "raw").glob("frames-*.gz")
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(BadInput, match=r"frames-000001\.gz"):
        list(entries(tmp_path / "raw"))
    with pytest.raises(BadInput, match="no raw frames"):
        raw_frames.head_of(tmp_path)
