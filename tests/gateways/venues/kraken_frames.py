"""A seeded market as Kraken would tell it, its checksums made with texts and nothing of ours."""

import json
import random
import re
import zlib
from typing import Any

from mm.events.instrument import InstrumentDefined
from mm.events.units import Nanos
from mm.gateways.market_port import Frame
from mm.gateways.venues.kraken.market import KrakenMarket, KrakenParser, Streams
from mm.gateways.venues.kraken.pairs import instruments

CHANNEL = "public-1"
START = Nanos(1_732_224_000_000_000_000)
STAMP = "2024-11-21T21:20:00.000001Z"
PAIR = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "base": "XXBT",
    "quote": "ZUSD",
    "pair_decimals": 1,
    "lot_decimals": 8,
    "fees": [[0, 0.40], [10000, 0.35]],
    "fees_maker": [[0, 0.25], [10000, 0.20]],
    "ordermin": "0.00005",
    "costmin": "0.5",
    "tick_size": "0.1",
    "status": "online",
}
Side = dict[int, int]


def listed(**changes: Any) -> Frame:
    """The list of pairs with one in it, some of whose fields are changed."""
    body = {"error": [], "result": {"XXBTZUSD": PAIR | changes}}
    return Frame(START, "pairs", json.dumps(body).encode())


def bitcoin() -> InstrumentDefined:
    """BTC/USD as instrument 1: ticks of 0.1, lots of 1e-8."""
    (defined,) = instruments((listed(),), ("BTC/USD",))
    return defined


def number(units: int, places: int) -> str:
    """A number as it stands in the venue's JSON, all its decimals shown."""
    digits = str(units).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


def frame(body: str | bytes | dict[str, Any], at: int = START) -> Frame:
    """Something heard on the public connection."""
    text = json.dumps(body) if isinstance(body, dict) else body
    return Frame(Nanos(at), CHANNEL, text.encode() if isinstance(text, str) else text)


def rows(side: Side) -> str:
    """Levels as the venue writes them."""
    return ",".join(
        f'{{"price":{number(price, 1)},"qty":{number(size, 8)}}}' for price, size in side.items()
    )


def checksum(bids: Side, asks: Side) -> int:
    """By the venue's rule: from the texts, without points and leading zeros."""
    text = ""
    for side, best in ((asks, sorted(asks)), (bids, sorted(bids, reverse=True))):
        for price in best[:10]:
            for shown in (number(price, 1), number(side[price], 8)):
                text += shown.replace(".", "").lstrip("0")
    return zlib.crc32(text.encode())


def parser(depth: int = 10) -> KrakenParser:
    """A parser of BTC/USD whose connection stands."""
    made = KrakenMarket(Streams(depth=depth)).parser((bitcoin(),))
    made.connected(CHANNEL, START)
    return made


class Market:
    """A book that changes, as deep as it is subscribed to."""

    def __init__(self, seed: int, depth: int = 10) -> None:
        """Begin with a full book."""
        self.random = random.Random(seed)
        self.depth = depth
        self.bids: Side = {600_000 - n: 10**8 + n for n in range(1, depth + 1)}
        self.asks: Side = {600_000 + n: 2 * 10**8 + n for n in range(1, depth + 1)}

    def _frame(self, kind: str, bids: Side, asks: Side) -> bytes:
        data = (
            f'{{"symbol":"BTC/USD","bids":[{rows(bids)}],"asks":[{rows(asks)}],'
            f'"checksum":{checksum(self.bids, self.asks)},"timestamp":"{STAMP}"}}'
        )
        return f'{{"channel":"book","type":"{kind}","data":[{data}]}}'.encode()

    def snapshot(self) -> bytes:
        """The whole book."""
        return self._frame("snapshot", self.bids, self.asks)

    def _change(self, side: Side, sign: int) -> Side:
        changed: Side = {}
        for _ in range(self.random.randint(0, 3)):
            price = 600_000 + sign * self.random.randint(1, self.depth + 5)
            gone = price in side and len(side) > 3 and self.random.random() < 0.4
            changed[price] = 0 if gone else self.random.randint(1, 10**10)
            if gone:
                del side[price]
            else:
                side[price] = changed[price]
        for price in sorted(side, key=lambda each: -sign * each)[: max(0, len(side) - self.depth)]:
            del side[price]  # Out of the depth, without a word.
        return changed

    def update(self) -> bytes:
        """The book moves on; the frame that says so."""
        bids, asks = self._change(self.bids, -1), self._change(self.asks, 1)
        return self._frame("update", bids, asks)


def spoiled(body: bytes) -> bytes:
    """The frame with another checksum."""
    return re.sub(rb'"checksum":\d+', b'"checksum":1', body)
