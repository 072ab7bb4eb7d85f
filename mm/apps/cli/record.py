"""`mm record`: write a feed to a recording."""

import signal
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mm.apps.cli.output import emit_json, out, progress, table
from mm.errors import BadInput, ConfigError, Interrupted

SYNTHETIC: Final = "synthetic"
SYNTHETIC_SECONDS: Final = 60.0
SPEED_MAX: Final = "max"
RAW: Final = ".raw"
SECONDS_MAX: Final = 10 * 366 * 86_400.0
FIGURES: Final = (
    *("kind", "messages", "first", "last", "level_updates", "quotes", "trades", "candles"),
    *("trade_size_sum", "trade_notional_sum", "marks", "funding_rates", "gaps"),
)
EXAMPLE: Final = """
Example:

    mm record --feed synthetic --seconds 300 --seed 7 --out recordings/synthetic

A recording can be the feed, too: `--seconds` then keeps its beginning. A venue is recorded live:
`--feed binance:BTCUSDT,ETHUSDT`, with `--raw` the frames as they came, too. Ctrl-C ends the
recording and keeps what it holds.
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLE)
def record(
    *,
    feed: Annotated[
        str, typer.Option(help="`synthetic`, a recording's directory, or `VENUE:SYMBOL,SYMBOL`.")
    ],
    out_path: Annotated[Path, typer.Option("--out", help="Directory of the new recording.")],
    seconds: Annotated[
        float, typer.Option(help="How much of the feed's time (0: all; a synthetic market: 60).")
    ] = 0,
    speed: Annotated[str, typer.Option(help="1 (own pace), 10 (faster), max.")] = SPEED_MAX,
    seed: Annotated[int, typer.Option(help="Of the synthetic market.")] = 1,
    start: Annotated[
        str, typer.Option(help="When the synthetic market begins, UTC.")
    ] = "2024-01-01T00:00:00Z",
    raw: Annotated[
        bool, typer.Option("--raw", help="Keep a venue's frames in OUT.raw, too.")
    ] = False,
    channels: Annotated[str, typer.Option(help="Of a venue: book,quotes,…; all if empty.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a recording there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the totals as JSON.")] = False,
) -> None:
    """Write a feed to a recording."""
    _check_seconds(seconds)
    if feed == SYNTHETIC and not seconds:
        seconds = SYNTHETIC_SECONDS
    if ":" in feed:
        beside = out_path.with_name(f"{out_path.name}{RAW}") if raw else None
        source = _live(feed, channels, seconds or None, beside)
    else:
        source = _played(feed, seconds, _speed(speed), seed, start)
    document = _run(source, out_path, seconds or None, force=force)
    _show(document, as_json=as_json)
    if source.stopped:
        raise Interrupted("stopped by Ctrl-C; the recording holds what came before")


def _played(feed: str, seconds: float, pace: float | None, seed: int, start: str) -> Any:
    from mm.events.units import SECONDS, Nanos
    from mm.gateways.feed_recording import FeedRecording, Pace

    return FeedRecording(
        _feed(feed, seed, start),
        Nanos(round(seconds * SECONDS)) if seconds else None,
        None if pace is None else Pace(pace),
    )


def _live(feed: str, channels: str, seconds: float | None, raw: Path | None) -> Any:
    """A venue's feed; raises `ConfigError` for one that there is not."""
    from mm.apps.cli.live import networked
    from mm.apps.venue_config import NetworkConfig, VenueFeedConfig

    venue, _, symbols = feed.partition(":")
    chosen = VenueFeedConfig(
        venue=venue,
        symbols=tuple(filter(None, symbols.split(","))),
        channels=tuple(filter(None, channels.split(","))),
    )
    network = networked("mm.apps.venues").network_of(NetworkConfig())
    return networked("mm.apps.venue_recording").LiveRecording(chosen, network, seconds, raw)


def _check_seconds(seconds: float) -> None:
    if not 0 <= seconds <= SECONDS_MAX:
        raise ConfigError(
            f"{seconds} seconds cannot be recorded",
            where="--seconds",
            remedy="use 0 for all, or up to ten years",
        )


def _speed(text: str) -> float | None:
    """The factor of real time, None for as fast as possible."""
    if text == SPEED_MAX:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigError(f"{text!r} is no speed", where="--speed", remedy="use 1, 10 or max, say")
    return speed


def _feed(name: str, seed: int, start: str) -> Any:
    from mm.events.units import Nanos
    from mm.gateways.csv_rows import TimeUnit, time_from
    from mm.gateways.recorded import RecordedFeed, SyntheticFeed
    from mm.sim.synthetic import SyntheticSettings

    if name != SYNTHETIC:
        return RecordedFeed(Path(name))
    try:
        begin: Nanos = time_from(start, TimeUnit.ISO)
    except BadInput as error:
        raise ConfigError(
            error.what, where="--start", remedy="write it as 2024-01-01T00:00:00Z"
        ) from error
    return SyntheticFeed(SyntheticSettings(), seed, begin)


def _run(source: Any, out_path: Path, total: float | None, *, force: bool) -> dict[str, Any]:
    from mm.gateways.recorder import Recorder
    from mm.gateways.recordings import bytes_in, new_recording

    started = time.perf_counter()
    with new_recording(out_path, force=force) as writer:
        recorder = Recorder(writer)
        with progress("recording", total) as advance:
            _run_until_stopped(source, recorder, advance)
        if recorder.head.number == 0:
            raise BadInput("the feed says nothing", remedy="name a feed that holds messages")
    seconds = time.perf_counter() - started
    return {
        "recording": str(out_path),
        "instruments": source.report(),
        "events": recorder.head.events,
        "updates": recorder.updates,
        "turns": recorder.head.number,
        "hash": recorder.head.hash.hex(),
        "bytes_written": bytes_in(out_path),
        "interrupted": source.stopped,
        "seconds": round(seconds, 3),
        "updates_per_second": round(recorder.updates / seconds),
    }


def _run_until_stopped(source: Any, recorder: Any, advance: Any) -> None:
    """Ctrl-C ends the recording between two messages; a second one ends the process."""
    usual = signal.getsignal(signal.SIGINT)

    def stop(_number: int, _frame: object) -> None:
        source.stop()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, stop)
    try:
        source.run(recorder, advance)
    finally:
        signal.signal(signal.SIGINT, usual)


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(document)
        return
    instruments = document["instruments"]
    rows = [
        (name.replace("_", " "), *(each[name] for each in instruments))
        for name in FIGURES
        if any(each[name] for each in instruments)
    ]
    table(document["recording"], ["", *(each["name"] for each in instruments)], rows)
    out.print(
        f"{document['events']:,} events in {document['turns']:,} turns, "
        f"{document['bytes_written']:,} bytes, {document['seconds']:.1f} s",
        markup=False,
    )
