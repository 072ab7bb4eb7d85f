"""What Binance says beyond `mm.gateways.binance_wire`: lists of instruments, candles, REST quotes.

Only fields that are read are named, under the venue's own names.
"""

from typing import Any, Final

import msgspec

from mm.gateways.binance_wire import Millis, Text, UpdateId, reader


class Aggregate(msgspec.Struct, gc=False):
    """`aggTrade`: fills of one taker at one price as one; `a` counts them, `m` as in `trade`."""

    E: Millis
    T: Millis
    s: Text
    a: UpdateId
    p: str
    q: str
    m: bool


class Candle(msgspec.Struct, gc=False):
    """The `k` of a `kline`; `x` says that it is finished."""

    t: Millis
    T: Millis
    i: Text
    o: str
    h: str
    l: str  # noqa: E741  The venue's own name.
    c: str
    v: str
    n: int
    x: bool


class Kline(msgspec.Struct, gc=False):
    """`kline`."""

    E: Millis
    s: Text
    k: Candle


class RestTicker(msgspec.Struct, gc=False):
    """`ticker/bookTicker`; the time on futures only."""

    symbol: Text
    bidPrice: str  # noqa: N815  The venue's own name.
    bidQty: str  # noqa: N815  As above.
    askPrice: str  # noqa: N815  As above.
    askQty: str  # noqa: N815  As above.
    time: Millis = 0


class Listed(msgspec.Struct, gc=False):
    """One row of `exchangeInfo`; margin asset, contract and quantity digits on futures only."""

    symbol: str
    status: str
    baseAsset: str  # noqa: N815  The venue's own name.
    quoteAsset: str  # noqa: N815  As above.
    baseAssetPrecision: int  # noqa: N815  As above.
    filters: list[dict[str, Any]]
    marginAsset: str = ""  # noqa: N815  As above.
    contractType: str = ""  # noqa: N815  As above.
    quantityPrecision: int | None = None  # noqa: N815  As above.


class ExchangeInfo(msgspec.Struct, gc=False):
    """`exchangeInfo`."""

    symbols: list[Listed]


class Unwrapped(msgspec.Struct, gc=False):
    """A frame outside any stream: what happens to the connection, or an error."""

    e: str = ""


Row = tuple[int, str, str, str, str, str, int, str, int, str, str, str]
"""A candle over REST: opened, open, high, low, close, volume, closes, value, trades, …"""

aggregate: Final = reader(Aggregate)
kline: Final = reader(Kline)
rest_ticker: Final = reader(RestTicker)
exchange_info: Final = reader(ExchangeInfo)
unwrapped: Final = reader(Unwrapped)
rows: Final = reader(list[Row])
