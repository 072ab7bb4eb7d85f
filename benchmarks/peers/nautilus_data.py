"""Events as NautilusTrader's own objects, made in bulk: columns through Arrow to its wranglers.

Deltas and trades are wrangled apart and then put back into the order they came in. Prices and sizes
stay exact: an integer and a scale are a decimal, no float in between.
"""

from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import numpy as np
import pyarrow as pa
from nautilus_trader.model import (
    CryptoPerpetual,
    Currency,
    InstrumentId,
    OrderBookDelta,
    OrderBookDeltas,
    Price,
    Quantity,
    Symbol,
    TradeTick,
)
from nautilus_trader.persistence import OrderBookDeltaDataWrangler, TradeTickDataWrangler

from benchmarks.peers.events import DEPTH, TRADE, Events

LAST_FLAG: Final = 128
"""Says that a delta ends its message."""
DECIMAL: Final = pa.decimal128(38, 16)


def instrument(tick: Decimal, lot: Decimal) -> CryptoPerpetual:
    """A perpetual with these increments."""
    name, usdt = "BTCUSDT-PERP", Currency.from_str("USDT")
    return CryptoPerpetual(
        InstrumentId.from_str(f"{name}.BINANCE"),
        Symbol(name),
        Currency.from_str("BTC"),
        usdt,
        usdt,
        is_inverse=False,
        price_precision=places(tick),
        size_precision=places(lot),
        price_increment=Price.from_str(str(tick)),
        size_increment=Quantity.from_str(str(lot)),
        ts_event=0,
        ts_init=0,
    )


def places(increment: Decimal) -> int:
    """Decimal places of an increment that is a power of ten."""
    assert increment.normalize().as_tuple().digits == (1,), f"{increment} is no power of ten"
    return -int(increment.normalize().as_tuple().exponent)


def decimals(integers: np.ndarray, scale: int) -> pa.Array:
    """What `integers` mean with `scale` places; each is the low word of 128 bits."""
    words = np.zeros((len(integers), 2), "<i8")
    words[:, 0] = integers
    exact = pa.Array.from_buffers(
        pa.decimal128(20, scale), len(integers), [None, pa.py_buffer(words)]
    )
    return exact.cast(DECIMAL)


def names(index: np.ndarray, choices: list[str]) -> pa.Array:
    """One of two names a row."""
    return pa.DictionaryArray.from_arrays(pa.array(index.astype("i1")), pa.array(choices))


def times(nanoseconds: np.ndarray) -> pa.Array:
    """Instants."""
    return pa.array(nanoseconds).cast(pa.timestamp("ns", tz="UTC"))


def shipped(columns: dict[str, pa.Array], metadata: dict[str, str]) -> bytes:
    """Columns as the stream of record batches that the wranglers take."""
    batch = pa.RecordBatch.from_pydict(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def laid(
    events: Events, traded: CryptoPerpetual, middle: dict[str, pa.Array]
) -> dict[str, pa.Array]:
    """Price, size, what is between, and the two times: the wranglers go by place, not by name."""
    return {
        "price": decimals(events["px"], traded.price_precision),
        "size": decimals(events["qty"], traded.size_precision),
        **middle,
        "ts_event": times(events["exch_ts"]),
        "ts_init": times(events["local_ts"]),
    }


def deltas(events: Events, traded: CryptoPerpetual) -> list[Any]:
    """Level updates as the library's deltas."""
    columns = {
        "action": names(events["qty"] == 0, ["UPDATE", "DELETE"]),
        "side": names(events["side"] == -1, ["BUY", "SELL"]),
    } | laid(
        events,
        traded,
        {
            "order_id": pa.array(np.zeros(len(events), "u8")),
            "flags": pa.array((events["last"] * LAST_FLAG).astype("u1")),
            "sequence": pa.array(np.arange(len(events), dtype="u8")),
        },
    )
    key = (traded.id, traded.price_precision, traded.size_precision)
    wrangler = OrderBookDeltaDataWrangler(str(key[0]), *key[1:])
    batch = shipped(columns, OrderBookDelta.get_metadata(*key))
    return wrangler.process_record_batch_bytes(batch)


def trades(events: Events, traded: CryptoPerpetual) -> list[Any]:
    """Prints as the library's trade ticks."""
    columns = laid(
        events,
        traded,
        {
            "aggressor_side": names(events["side"] == -1, ["BUYER", "SELLER"]),
            "trade_id": pa.array(np.arange(len(events)).astype("U")),
        },
    )
    key = (traded.id, traded.price_precision, traded.size_precision)
    wrangler = TradeTickDataWrangler(str(key[0]), *key[1:])
    return wrangler.process_record_batch_bytes(shipped(columns, TradeTick.get_metadata(*key)))


def wrangled(events: Events, traded: CryptoPerpetual) -> list[Any]:
    """All events as objects, in their order."""
    depth = iter(deltas(events[events["kind"] == DEPTH], traded))
    prints = iter(trades(events[events["kind"] == TRADE], traded))
    return [next(prints if kind == TRADE else depth) for kind in events["kind"].tolist()]


def batched(events: Events, traded: CryptoPerpetual) -> list[Any]:
    """All events as objects, the neighbouring level updates of a message as one."""
    objects = iter(wrangled(events, traded))
    batches: list[Any] = []
    keys = zip(events["kind"].tolist(), events["msg"].tolist(), strict=True)
    for (kind, _), run in groupby(keys):
        group = [next(objects) for _ in run]
        batches.extend(group if kind == TRADE else [OrderBookDeltas(traded.id, group)])
    return batches
