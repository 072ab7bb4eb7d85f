"""ccxt's words for instruments, books, tickers and trades, as facts.

ccxt's numbers are floats made from the venue's texts; their shortest form is that text again, for
as many digits as prices and sizes have.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from mm.errors import BadInput, CrossedBook
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.market import BookDelta, BookSnapshot, FeedResynced, QuoteUpdated, TradePrinted
from mm.events.units import MILLIS, InstrumentId, Levels, Lots, Nanos, Side, Ticks, steps
from mm.events.vocabulary import Market
from mm.gateways.exact import StepReader

LEVELS: Final = 50
KINDS: Final = (("spot", ContractKind.SPOT), ("linear", ContractKind.LINEAR))


def defined(
    market: dict[str, Any], venue: str, instrument: InstrumentId, *, digits: bool
) -> InstrumentDefined:
    """An instrument from ccxt's description of it; raises `BadInput` where that lacks a step."""
    tick, lot = (_step(market, name, digits=digits) for name in ("price", "amount"))
    kind = next((kind for flag, kind in KINDS if market.get(flag)), ContractKind.INVERSE)
    least = Decimal(str(((market.get("limits") or {}).get("amount") or {}).get("min") or 0))
    cost = ((market.get("limits") or {}).get("cost") or {}).get("min")
    return InstrumentDefined(
        instrument=instrument,
        venue=venue,
        symbol=market["symbol"],
        kind=kind,
        base=market["base"],
        quote=market["quote"],
        settle=market.get("settle") or market["quote"],
        tick_size=tick,
        lot_size=lot,
        multiplier=Decimal(str(market.get("contractSize") or 1)),
        size_min=Lots(max(1, steps(least, lot) or 0)),
        notional_min=Decimal(str(cost or 0)),
        maker_fee=Decimal(str(market.get("maker") or 0)),
        taker_fee=Decimal(str(market.get("taker") or 0)),
        fee_from_received=kind is ContractKind.SPOT,
    )


def _step(market: dict[str, Any], name: str, *, digits: bool) -> Decimal:
    value = (market.get("precision") or {}).get(name)
    if value is None:
        raise BadInput(
            f"ccxt does not tell the step of {name}",
            where=str(market.get("symbol")),
            remedy="choose another instrument, or a venue with a port of its own",
        )
    return Decimal(1).scaleb(-int(value)) if digits else Decimal(str(value)).normalize()


class CcxtBook:
    """The book of one instrument as we told it last."""

    def __init__(self, definition: InstrumentDefined) -> None:
        """Nothing was told."""
        self._id = definition.instrument
        self._price = StepReader(definition.tick_size, price=True)
        self._size = StepReader(definition.lot_size, price=False)
        self._told: tuple[dict[int, int], dict[int, int]] | None = None
        self._lost = False
        self.sequence = 0

    def lose(self) -> None:
        """Whoever folds a `FeedDown` has no book any more."""
        self._told = None
        self._lost = True

    def seen(self, book: Mapping[str, Any], received: Nanos) -> list[Market]:
        """A look at ccxt's book: what is otherwise than last; raises `BadInput`."""
        bids, asks = self._side(book["bids"]), self._side(book["asks"])
        if bids and asks and max(bids) >= min(asks):
            raise CrossedBook("the best bid is not below the best ask")
        at = Nanos((book.get("timestamp") or 0) * MILLIS)
        before, self._told = self._told, (bids, asks)
        if before is None:
            return self._whole(bids, asks, received, at)
        changed = [_changes(old, new) for old, new in zip(before, (bids, asks), strict=True)]
        if not any(changed):
            return []
        self.sequence += 1
        delta = BookDelta(
            instrument=self._id,
            received=received,
            venue_time=at,
            first=self.sequence,
            last=self.sequence,
            previous=self.sequence - 1,
            bids=changed[0],
            asks=changed[1],
        )
        return [delta]

    def _whole(
        self, bids: dict[int, int], asks: dict[int, int], received: Nanos, at: Nanos
    ) -> list[Market]:
        self.sequence += 1
        snapshot = BookSnapshot(
            instrument=self._id,
            received=received,
            venue_time=at,
            sequence=self.sequence,
            bids=_changes({}, bids),
            asks=_changes({}, asks),
        )
        if not self._lost:
            return [snapshot]
        self._lost = False
        whole = FeedResynced(instrument=self._id, received=received, sequence=self.sequence)
        return [snapshot, whole]

    def _side(self, rows: Iterable[Any]) -> dict[int, int]:
        found = {self._price[str(p)]: self._size[str(q)] for p, q, *_ in list(rows)[:LEVELS]}
        return {price: size for price, size in found.items() if size}

    def quote(self, ticker: Mapping[str, Any], received: Nanos) -> list[Market]:
        """Best bid and offer of a ticker, where it has both with their sizes."""
        names = ("bid", "bidVolume", "ask", "askVolume")
        bid, bid_size, ask, ask_size = (ticker.get(name) for name in names)
        if not (bid and bid_size and ask and ask_size):
            return []
        quote = QuoteUpdated(
            instrument=self._id,
            received=received,
            venue_time=Nanos((ticker.get("timestamp") or 0) * MILLIS),
            sequence=0,
            bid=Ticks(self._price[str(bid)]),
            bid_size=Lots(self._size[str(bid_size)]),
            ask=Ticks(self._price[str(ask)]),
            ask_size=Lots(self._size[str(ask_size)]),
        )
        return [quote]

    def trade(self, row: Mapping[str, Any], received: Nanos) -> TradePrinted:
        """One public trade."""
        return TradePrinted(
            instrument=self._id,
            received=received,
            venue_time=Nanos((row.get("timestamp") or 0) * MILLIS),
            trade_id=str(row["id"]),
            price=Ticks(self._price[str(row["price"])]),
            size=Lots(self._size[str(row["amount"])]),
            aggressor=Side.SELL if row["side"] == "sell" else Side.BUY,
        )


def _changes(old: dict[int, int], new: dict[int, int]) -> Levels:
    """The levels that lead from one side to the other."""
    changed = [(price, size) for price, size in new.items() if old.get(price) != size]
    gone = [(price, 0) for price in old if price not in new]
    return tuple(number for level in (*changed, *gone) for number in level)
