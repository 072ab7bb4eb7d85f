"""Codec: events encoded and decoded a second, beside bare msgspec on the same structs.

Two mixes: best quotes and trades alone (the dearest per event), and a recorded session's mix, in
which most events are price levels. Baseline: msgspec on the bare list of events, without a turn.

    python benchmarks/bench_codec.py --json
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

import msgspec

from mm.events.codec import VERSION, decode, encode
from mm.events.market import BookDelta, QuoteUpdated, TradePrinted
from mm.events.turn import NO_HASH, Turn
from mm.events.units import InstrumentId, Lots, Nanos, Seq, Side, Ticks, TurnNumber
from mm.events.vocabulary import Event, Fact, levels_in

AT = Nanos(1_723_161_255_030_314_667)
TURNS = 400
RUNS = 7


def quote(number: int) -> Fact:
    """A best quote with a venue's eleven-digit update id."""
    return QuoteUpdated(
        instrument=InstrumentId(0),
        received=Nanos(AT + number),
        venue_time=Nanos(AT - 5_000_000),
        sequence=5_123_107_839_020 + number,
        bid=Ticks(618_002),
        bid_size=Lots(2_507),
        ask=Ticks(618_003),
        ask_size=Lots(2_510),
    )


def trade(number: int) -> Fact:
    """A public trade."""
    return TradePrinted(
        instrument=InstrumentId(0),
        received=Nanos(AT + number),
        venue_time=Nanos(AT - 5_000_000),
        trade_id=str(5_266_583_935 + number),
        price=Ticks(618_002),
        size=Lots(6),
        aggressor=Side.BUY,
    )


def delta(number: int) -> Fact:
    """A depth update of 68 levels, the mean of the recorded perpetual."""
    levels = tuple(each for level in range(34) for each in (618_000 - level, 100 + level))
    return BookDelta(
        instrument=InstrumentId(0),
        received=Nanos(AT + number),
        venue_time=Nanos(AT - 5_000_000),
        first=5_123_107_832_006,
        last=5_123_107_837_557,
        previous=5_123_107_831_937,
        bids=levels,
        asks=levels,
    )


def turn(number: int, facts: tuple[Fact, ...]) -> Turn:
    """A turn of market facts."""
    return Turn(VERSION, TurnNumber(number), Seq(1), NO_HASH, b"", AT, facts, ())


def rate(call: Callable[[], object], rows: int) -> float:
    """Median rows a second of CPU time over several runs: other processes do not count."""
    seconds = []
    for _ in range(RUNS):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    return rows / statistics.median(seconds)


def measure(name: str, turns: list[Turn]) -> dict[str, object]:
    """Encode and decode rates of one mix, and of bare msgspec on the same events."""
    rows = sum(levels_in(fact) for each in turns for fact in each.facts)
    payloads = [encode(each) for each in turns]
    bare = msgspec.msgpack.Encoder(decimal_format="string")
    bare_decoder = msgspec.msgpack.Decoder(tuple[Event, ...])
    bare_payloads = [bare.encode(each.facts) for each in turns]
    figures = {
        "encode": rate(lambda: [encode(each) for each in turns], rows),
        "decode": rate(lambda: [decode(each) and None for each in payloads], rows),
        "bare_encode": rate(lambda: [bare.encode(each.facts) for each in turns], rows),
        "bare_decode": rate(
            lambda: [bare_decoder.decode(each) and None for each in bare_payloads], rows
        ),
    }
    return {
        "mix": name,
        "rows": rows,
        "bytes_per_row": sum(map(len, payloads)) / rows,
        "encode_per_second": figures["encode"],
        "decode_per_second": figures["decode"],
        "encode_ratio_to_bare": figures["encode"] / figures["bare_encode"],
        "decode_ratio_to_bare": figures["decode"] / figures["bare_decode"],
    }


def main() -> None:
    """Measure both mixes and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    small = [
        turn(n, tuple(trade(i) if i % 4 == 0 else quote(i) for i in range(192)))
        for n in range(TURNS)
    ]
    mixed = [
        turn(n, (delta(0), *(quote(i) for i in range(10)), *(trade(i) for i in range(3))))
        for n in range(TURNS)
    ]
    results = [measure("quotes and trades", small), measure("as recorded", mixed)]
    if arguments.json:
        json.dump(results, sys.stdout, indent=2)
        return
    for each in results:
        print(
            f"{each['mix']:18}  encode {each['encode_per_second']:>12,.0f}/s "
            f"({each['encode_ratio_to_bare']:.2f} of bare)  decode "
            f"{each['decode_per_second']:>12,.0f}/s ({each['decode_ratio_to_bare']:.2f} of bare)  "
            f"{each['bytes_per_row']:.1f} B a row"
        )


if __name__ == "__main__":
    main()
