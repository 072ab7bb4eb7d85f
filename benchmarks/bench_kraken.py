"""Kraken's book: microseconds for one update from its bytes to a fact, its checksum verified.

A made book a hundred levels deep takes updates of one to six levels near its best, as the venue
frames them. Beside the whole: decoding alone, and the checksum alone. Processor time, one core,
the fastest of many short runs, for the machine may have other work.

    python benchmarks/bench_kraken.py --json
"""

import argparse
import json
import random
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

from mm.events.instrument import InstrumentDefined
from mm.events.market import BookDelta
from mm.events.units import InstrumentId, Nanos
from mm.gateways.market_port import Frame
from mm.gateways.venues.kraken import wire
from mm.gateways.venues.kraken.checked import CheckedBook
from mm.gateways.venues.kraken.market import KrakenMarket
from mm.gateways.venues.kraken.pairs import defined, pairs

DEPTH = 100
UPDATES = 2_000
RUNS = 25
LISTED = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "base": "XXBT",
    "quote": "ZUSD",
    "pair_decimals": 1,
    "lot_decimals": 8,
    "tick_size": "0.1",
}
AT = Nanos(1)
CHANNEL = "public-1"


def bitcoin() -> InstrumentDefined:
    """BTC/USD."""
    listed = pairs(json.dumps({"error": [], "result": {"XXBTZUSD": LISTED}}).encode())
    return defined(listed["BTC/USD"], InstrumentId(1))


def frames(seed: int) -> list[bytes]:
    """A snapshot and updates with right checksums."""
    rand = random.Random(seed)
    bids = {600_000 - n: rand.randint(1, 10**9) for n in range(1, DEPTH + 1)}
    asks = {600_000 + n: rand.randint(1, 10**9) for n in range(1, DEPTH + 1)}
    made = [_frame("snapshot", bids, asks, bids, asks)]
    for _ in range(UPDATES):
        changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _ in range(rand.randint(1, 6)):
            side, sign, changes = rand.choice([(bids, -1, changed[0]), (asks, 1, changed[1])])
            price = 600_000 + sign * min(DEPTH, 1 + int(rand.expovariate(0.2)))
            side[price] = changes[price] = rand.randint(1, 10**9)
        made.append(_frame("update", *changed, bids, asks))
    return made


def _frame(kind: str, *sides: dict[int, int]) -> bytes:
    new_bids, new_asks, bids, asks = sides
    best = sorted(asks.items())[:10] + sorted(bids.items(), reverse=True)[:10]
    summed = zlib.crc32("".join(f"{price}{size}" for price, size in best).encode())
    body = (
        f'"bids":[{_rows(new_bids)}],"asks":[{_rows(new_asks)}],"checksum":{summed},'
        '"timestamp":"2024-11-21T21:20:00.000001Z"'
    )
    return f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD",{body}}}]}}'.encode()


def _rows(side: dict[int, int]) -> str:
    return ",".join(
        f'{{"price":{price // 10}.{price % 10},"qty":{size // 10**8}.{size % 10**8:08d}}}'
        for price, size in side.items()
    )


def whole(bodies: list[bytes]) -> Callable[[], float]:
    """Seconds for all updates, from bytes to facts."""
    heard = [Frame(AT, CHANNEL, body) for body in bodies]

    def run() -> float:
        parser = KrakenMarket().parser((bitcoin(),))
        parser.connected(CHANNEL, AT)
        parser.parse(heard[0])
        started = time.process_time()
        facts = [parser.parse(each) for each in heard[1:]]
        seconds = time.process_time() - started
        assert all(len(each) == 1 and isinstance(each[0], BookDelta) for each in facts)
        return seconds

    return run


def decoding(bodies: list[bytes]) -> Callable[[], float]:
    """Seconds to decode all updates."""

    def run() -> float:
        started = time.process_time()
        for body in bodies[1:]:
            wire.read(body)
        return time.process_time() - started

    return run


def summing() -> Callable[[], float]:
    """Seconds for as many checksums, a level changed before each."""
    book = CheckedBook(bitcoin(), DEPTH, 1)
    levels = [tuple(v for n in range(1, 101) for v in (6 * 10**5 + s * n, 10**8)) for s in (-1, 1)]
    book.change(*levels)

    def run() -> float:
        started = time.process_time()
        for size in range(UPDATES):
            book.change((599_999, size + 1), ())
            _ = book.checksum
        return time.process_time() - started

    return run


def measured() -> dict[str, Any]:
    """All figures, in microseconds an update."""
    bodies = frames(1)
    parts = {"whole": whole(bodies), "decode": decoding(bodies), "change and sum": summing()}
    best = {name: min(run() for _ in range(RUNS)) for name, run in parts.items()}
    return {f"{name}_us": round(best[name] / UPDATES * 1e6, 2) for name in best} | {
        "levels": sum(body.count(b'"price"') for body in bodies[1:]) / UPDATES,
        "updates_per_second": round(UPDATES / best["whole"]),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    figures = measured()
    if parser.parse_args().json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for name, value in figures.items():
        sys.stdout.write(f"{name:>20} {value:>12,.2f}\n")


if __name__ == "__main__":
    main()
