"""`mm import`: captured or tabular market data becomes a recording."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from mm.apps.cli.output import emit_json, err, out, progress, table
from mm.errors import BadInput, ConfigError

if TYPE_CHECKING:
    from mm.gateways.capture_import import CaptureImport
    from mm.gateways.csv_files import CsvImport
    from mm.gateways.recorder import Recorder

SHOWN_MAX: Final = 5
FIGURES: Final = (
    *("kind", "messages", "first", "last", "diffs_applied", "diffs_stale", "gaps", "resyncs"),
    *("crossed_books", "final_update_id", "level_updates", "quotes", "trades", "candles"),
    *("trade_size_sum", "trade_notional_sum", "volume_sum", "marks", "funding_rates"),
    *("best_bid", "best_ask", "ticker_comparisons", "ticker_mismatches", "trades_not_market"),
)
"""What people are shown, where it is not zero; `--json` has everything."""
ALWAYS: Final = ("gaps", "crossed_books", "ticker_mismatches")

app = typer.Typer(no_args_is_help=True, help="Turn market data into a recording.")


@app.callback()
def _group() -> None:
    """Keep the commands apart, however many there are."""


@app.command("binance-raw", no_args_is_help=True)
def binance_raw(
    captures: list[Path] = typer.Argument(
        help="Lines of `<receive time> <JSON>`, plain or gzip; several files are merged by time.",
        show_default=False,
    ),
    out_path: Path = typer.Option(
        ..., "--out", help="Directory of the new recording.", show_default=False
    ),
    instrument: list[str] = typer.Option(
        [],
        help="Define an instrument: venue:symbol,kind,tick,lot[,step=…,maker=…,taker=…]. "
        "Known: BTCUSDT of binance and binance_usdm.",
    ),
    strict: bool = typer.Option(False, help="Stop at the first line that cannot be imported."),
    force: bool = typer.Option(False, help="Replace a recording that is there."),
    as_json: bool = typer.Option(False, "--json", help="Print all totals as one JSON document."),
) -> None:
    """Import raw Binance captures, spot or USD-M: depth, snapshots, tickers, trades, mark prices.

    Example: mm import binance-raw usdm.gz spot.gz --out recordings/btc --json
    """
    from mm.gateways.capture_import import CaptureImport
    from mm.gateways.definitions import definitions
    from mm.gateways.totals import Problems

    problems = Problems(strict=strict)
    source = CaptureImport(captures, definitions(instrument), problems)
    document = _import(source, captures, out_path, force=force)
    _show(document, as_json=as_json)


@app.command("csv", no_args_is_help=True)
def csv(  # noqa: PLR0917  Typer passes options by name.
    trades: list[Path] = typer.Option([], help="File of trades: time, price, size, side[, id]."),
    quotes: list[Path] = typer.Option([], help="File of best bid and offer with their sizes."),
    klines: list[Path] = typer.Option([], help="File of candles: time of opening, OHLC, volume."),
    out_path: Path = typer.Option(
        ..., "--out", help="Directory of the new recording.", show_default=False
    ),
    venue: str = typer.Option(..., help="Venue, as the strategies will name it."),
    symbol: str = typer.Option(..., help="Symbol at that venue."),
    kind: str = typer.Option("spot", help="spot, linear or inverse."),
    tick: str = typer.Option(..., help="Tick size; every price is a multiple of it."),
    lot: str = typer.Option(..., help="Lot size; every size is a multiple of it."),
    define: list[str] = typer.Option(
        [], help="More about the instrument: base=BTC, quote=USD, maker=0.0002, taker=0.0005 …"
    ),
    column: list[str] = typer.Option(
        [], help="Map a column: price=px, or price=3 for the third; trades.price=px for one table."
    ),
    time_unit: str = typer.Option("auto", help="auto, s, ms, us, ns or iso (UTC without offset)."),
    interval: str = typer.Option("1m", help="Length of a candle: 30s, 1m, 4h, 1d."),
    delimiter: str = typer.Option(",", help="What separates columns; 'tab' for a tab."),
    no_header: bool = typer.Option(False, "--no-header", help="The first line is a row already."),
    round_volume: bool = typer.Option(
        False, "--round-volume", help="Round candle volumes to whole lots instead of refusing them."
    ),
    strict: bool = typer.Option(False, help="Stop at the first row that cannot be imported."),
    force: bool = typer.Option(False, help="Replace a recording that is there."),
    as_json: bool = typer.Option(False, "--json", help="Print all totals as one JSON document."),
) -> None:
    """Import trades, quotes or klines from CSV files, plain or gzip, merged by time.

    Example: mm import csv --klines btc_1m.csv --venue binance --symbol BTCUSDT --tick 0.1
    --lot 0.001 --out recordings/btc_1m
    """
    from mm.gateways.csv_files import CsvImport, CsvSource
    from mm.gateways.csv_options import CsvOptions, layout
    from mm.gateways.csv_rows import Table
    from mm.gateways.definitions import definition
    from mm.gateways.totals import Problems

    if not (trades or quotes or klines):
        raise ConfigError("no file to import", remedy="name one with --trades, --quotes, --klines")
    files = {Table.TRADES: trades, Table.QUOTES: quotes, Table.KLINES: klines}
    plain = CsvOptions(
        columns=column,
        time_unit=time_unit,
        interval=interval,
        delimiter=delimiter,
        header=not no_header,
        round_volume=round_volume,
    )
    sources = [
        CsvSource(each, path, layout(plain, each))
        for each, paths in files.items()
        for path in paths
    ]
    defined = definition(",".join([f"{venue}:{symbol}", kind, tick, lot, *define]))
    source = CsvImport(sources, defined, Problems(strict=strict))
    document = _import(source, [each.path for each in sources], out_path, force=force)
    _show(document, as_json=as_json)


def _import(
    source: "CaptureImport | CsvImport", paths: list[Path], out_path: Path, *, force: bool
) -> dict[str, Any]:
    """Run an import into a new recording; returns the document of its totals."""
    from mm.gateways.recorder import Recorder
    from mm.gateways.recordings import bytes_in, new_recording

    total = sum(path.stat().st_size for path in paths)
    started = time.perf_counter()
    with new_recording(out_path, force=force) as writer:
        recorder = Recorder(writer)
        with progress("importing", total) as advance:
            source.run(recorder, advance)
        if recorder.head.number == 0:
            raise _nothing(source, paths)
    seconds = time.perf_counter() - started
    return _document(source, recorder, seconds) | {
        "recording": str(out_path),
        "files": [path.name for path in paths],
        "bytes_read": total,
        "bytes_written": bytes_in(out_path),
    }


def _document(
    source: "CaptureImport | CsvImport", recorder: "Recorder", seconds: float
) -> dict[str, Any]:
    instruments = source.report()
    return {
        "instruments": instruments,
        "messages": sum(each["messages"] for each in instruments),
        "lines_malformed": source.problems.count,
        "malformed": source.problems.kept,
        "notes": source.notes,
        "events": recorder.head.events,
        "updates": recorder.updates,
        "turns": recorder.head.number,
        "hash": recorder.head.hash.hex(),
        "seconds": round(seconds, 3),
        "updates_per_second": round(recorder.updates / seconds),
    }


def _nothing(source: "CaptureImport | CsvImport", paths: list[Path]) -> BadInput:
    first = source.problems.kept[0] if source.problems.kept else None
    return BadInput(
        f"nothing could be imported: {first.what if first else 'there are no data'}",
        where=first.where if first else ", ".join(map(str, paths)),
        remedy="check that the file is of the kind that the command imports",
    )


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    for problem in document["malformed"][: 0 if as_json else SHOWN_MAX]:
        err.print(f"{problem.where}: {problem.error}: {problem.what}", markup=False)
    if as_json:
        emit_json(document)
        return
    instruments = document["instruments"]
    rows = [
        (name.replace("_", " "), *(_plain(each.get(name, "")) for each in instruments))
        for name in FIGURES
        if any(each.get(name) or (name in ALWAYS and name in each) for each in instruments)
    ]
    table(str(document["recording"]), ["", *(each["name"] for each in instruments)], rows)
    for note in document["notes"]:
        out.print(note, markup=False)
    out.print(
        f"{document['messages']:,} messages, {document['lines_malformed']:,} lines malformed, "
        f"{document['events']:,} events in {document['turns']:,} turns, "
        f"{document['bytes_written']:,} bytes, {document['seconds']:.1f} s "
        f"({document['updates_per_second']:,} updates/s, a level counting as one)",
        markup=False,
    )


def _plain(value: object) -> object:
    """A mapping of counts as text; everything else as it is."""
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return value
