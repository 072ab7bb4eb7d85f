"""`mm import`: captured or tabular market data becomes a recording."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mm.apps.cli.output import emit_json, err, out, progress, table
from mm.errors import BadInput

if TYPE_CHECKING:
    from mm.gateways.capture_import import CaptureImport
    from mm.gateways.csv_files import CsvImport
    from mm.gateways.recorder import Recorder
    from mm.gateways.venues.kraken.capture import KrakenImport

    Source = CaptureImport | CsvImport | KrakenImport

SHOWN_MAX: Final = 5
FIGURES: Final = (
    *("kind", "messages", "first", "last", "diffs_applied", "diffs_stale", "gaps", "resyncs"),
    *("crossed_books", "final_update_id", "level_updates", "quotes", "trades", "candles"),
    *("trade_size_sum", "trade_notional_sum", "volume_sum", "marks", "funding_rates"),
    *(
        "book_valid",
        "best_bid",
        "best_ask",
        "ticker_comparisons",
        "ticker_mismatches",
        "trades_not_market",
        "checksums",
        "checksums_wrong",
    ),
)
"""What people are shown, where it is not zero; `--json` has everything."""
ALWAYS: Final = ("gaps", "crossed_books", "ticker_mismatches", "book_valid", "checksums_wrong")

RAW_EXAMPLE: Final = """
Example:

    mm import binance-raw usdm.gz spot.gz --out recordings/btc --json

A line is `<receive time> <JSON>`. Several files are merged by receive time. Lines that cannot be
believed are named and counted; a diff among them makes the book a gap until a snapshot joins.
"""
KRAKEN_EXAMPLE: Final = """
Example:

    mm import kraken-raw KRAKEN.0 KRAKEN.ws.1.0 --out recordings/kraken --json

A line is `<seconds>: <frame>`, or `<URL> -> <seconds>: <body>` for the list of pairs, which has to
be there. A tar archive is read for its files KRAKEN.*. Every change of a book is checked.
"""
CSV_EXAMPLE: Final = """
Example:

    mm import csv --klines btc_1m.csv --venue binance --symbol BTCUSDT --tick 0.1 --lot 0.001
    --out recordings/btc_1m

Columns are found by their usual names, or as --column maps them. Rows that cannot be believed are
named and counted.
"""

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Turn market data into a recording."
)

Paths = list[Path] | None
Texts = list[str] | None
Out = Annotated[Path, typer.Option("--out", help="Directory of the new recording.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first line that cannot be imported.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace a recording that is there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print all totals as one JSON document.")]


@app.command("binance-raw", no_args_is_help=True, epilog=RAW_EXAMPLE)
def binance_raw(
    captures: Annotated[list[Path], typer.Argument(help="Capture files, plain or gzip.")],
    *,
    out_path: Out,
    instrument: Annotated[
        Texts,
        typer.Option(
            help="Define an instrument: venue:symbol,kind,tick,lot[,step=…,maker=…,taker=…]. "
            "Known: BTCUSDT of binance and of binance_usdm."
        ),
    ] = None,
    strict: Strict = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Import raw Binance captures, spot or USD-M: depth, snapshots, tickers, trades, marks."""
    from mm.gateways.capture_import import CaptureImport
    from mm.gateways.definitions import definitions
    from mm.gateways.totals import Problems

    problems = Problems(strict=strict)
    source = CaptureImport(captures, definitions(instrument or []), problems)
    document = _import(source, captures, out_path, force=force)
    _show(document, as_json=as_json)


@app.command("kraken-raw", no_args_is_help=True, epilog=KRAKEN_EXAMPLE)
def kraken_raw(
    captures: Annotated[list[Path], typer.Argument(help="A collector's files, or an archive.")],
    *,
    out_path: Out,
    strict: Strict = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Import frames of Kraken's WebSocket v1 as a collector kept them: books and trades."""
    from mm.gateways.totals import Problems
    from mm.gateways.venues.kraken.capture import KrakenImport

    source = KrakenImport(captures, Problems(strict=strict))
    document = _import(source, captures, out_path, force=force)
    _show(document, as_json=as_json)


@app.command("csv", no_args_is_help=True, epilog=CSV_EXAMPLE)
def csv(
    *,
    trades: Annotated[Paths, typer.Option(help="Trades: time, price, size, side[, id].")] = None,
    quotes: Annotated[
        Paths, typer.Option(help="Quotes: time, bid, bid_size, ask, ask_size.")
    ] = None,
    klines: Annotated[
        Paths, typer.Option(help="Candles: time, open, high, low, close, volume.")
    ] = (None),
    out_path: Out,
    venue: Annotated[str, typer.Option(help="Venue, as strategies will name it.")],
    symbol: Annotated[str, typer.Option(help="Symbol at that venue.")],
    kind: Annotated[str, typer.Option(help="spot, linear or inverse.")] = "spot",
    tick: Annotated[str, typer.Option(help="Tick size; every price is a multiple of it.")],
    lot: Annotated[str, typer.Option(help="Lot size; every size is a multiple of it.")],
    define: Annotated[
        Texts,
        typer.Option(help="More of the instrument: base=BTC, quote=USD, maker=0.0002 …"),
    ] = None,
    column: Annotated[
        Texts,
        typer.Option(help="price=px; price=3 is the third; trades.price=px for one table."),
    ] = None,
    time_unit: Annotated[
        str, typer.Option(help="auto, s, ms, us, ns or iso (UTC without an offset).")
    ] = "auto",
    interval: Annotated[str, typer.Option(help="Of a candle: 30s, 1m, 4h, 1d.")] = "1m",
    delimiter: Annotated[str, typer.Option(help="Between columns; `tab` for a tab.")] = ",",
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The first line is a row already.")
    ] = False,
    round_volume: Annotated[
        bool, typer.Option("--round-volume", help="Round volumes of candles to whole lots.")
    ] = False,
    strict: Strict = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Import trades, quotes or klines from CSV files, plain or gzip, merged by time."""
    from mm.gateways.csv_files import CsvImport, sources
    from mm.gateways.csv_options import CsvOptions
    from mm.gateways.definitions import definition
    from mm.gateways.totals import Problems

    options = CsvOptions(
        columns=column or [],
        time_unit=time_unit,
        interval=interval,
        delimiter=delimiter,
        header=not no_header,
        round_volume=round_volume,
    )
    files = sources({"trades": trades, "quotes": quotes, "klines": klines}, options)
    defined = definition(",".join([f"{venue}:{symbol}", kind, tick, lot, *(define or [])]))
    source = CsvImport(files, defined, Problems(strict=strict))
    document = _import(source, [each.path for each in files], out_path, force=force)
    _show(document, as_json=as_json)


def _import(source: "Source", paths: list[Path], out_path: Path, *, force: bool) -> dict[str, Any]:
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


def _document(source: "Source", recorder: "Recorder", seconds: float) -> dict[str, Any]:
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


def _nothing(source: "Source", paths: list[Path]) -> BadInput:
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
