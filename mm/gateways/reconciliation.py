"""The account held against the venue's: open orders, what became of the others, fills, balances.

It happens before the first quote, whenever the private stream stands anew, and on a timer. What it
finds is told as facts; fills come first, so that what follows agrees with them. An order of ours
that the log holds for closed and the venue for open is canceled; one that nobody here made is told
of and left alone.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from mm.events.account import AccountReconciled
from mm.events.orders import CancelOrder, ForeignOrderSeen, OrderFilled
from mm.events.units import InstrumentId, Nanos, OrderId, Seq
from mm.events.vocabulary import Fact
from mm.gateways.calls import Calls
from mm.gateways.inquiries import proof
from mm.gateways.limiter import Priority
from mm.gateways.order_port import Evidence
from mm.gateways.tracks import Track, Tracks

WHY_CLOSED: Final = "open at the venue, closed on the log"


class Found(msgspec.Struct, kw_only=True):
    """What a reconciliation found: facts, orders to cancel, orders to ask about."""

    facts: list[Fact]
    cancels: list[CancelOrder]
    doubts: list[Track]


class Cursor(msgspec.Struct):
    """From where on fills are asked for: after an id, else since a time."""

    since: Nanos
    after: str = ""


class Reconciliation:
    """What there is to ask of one account."""

    def __init__(
        self,
        calls: Calls,
        tracks: Tracks,
        instruments: Iterable[InstrumentId],
        wallet: str,
        since: Nanos,
    ) -> None:
        """`since` is from when on fills may be missing from the log."""
        self._calls = calls
        self._tracks = tracks
        self._wallet = wallet
        self._cursors = {each: Cursor(since) for each in instruments}

    async def fills(self, instrument: InstrumentId) -> tuple[OrderFilled, ...]:
        """Fills that were not asked for before; raises `VenueSaid`."""
        cursor, port = self._cursors[instrument], self._calls.port
        found, after = await self._calls.make(
            "fills", Priority.ASK, lambda: port.fills(instrument, cursor.after, cursor.since)
        )
        cursor.after = after
        return tuple(found)

    async def run(self) -> Found:
        """Ask for everything; raises `VenueSaid` when an answer is missing."""
        found = Found(facts=[], cancels=[], doubts=[])
        began = self._calls.now()
        live = self._tracks.live
        checked = [track for track in live if not track.busy]
        resting: list[Evidence] = []
        for instrument in self._cursors:
            resting += await self._open(instrument)
        fills: list[Fact] = []
        for instrument in self._cursors:
            fills += await self.fills(instrument)
        by_id = {evidence.client_id: evidence for evidence in resting}
        for track in checked:
            if not (track.closed or track.busy or track.sent >= began):
                await self._check(track, by_id, found)
        lived = {track.order_id for track in live}
        for evidence in resting:
            self._stranger(evidence, lived, began, found)
        account = await self._calls.make("account", Priority.ASK, self._calls.port.account)
        at, count = self._calls.now(), len(found.facts)
        reports = [msgspec.structs.replace(each, wallet=self._wallet) for each in account]
        done = AccountReconciled(
            wallet=self._wallet, orders=len(checked), differences=count, received=at
        )
        found.facts = [*fills, *found.facts, *reports, done]
        return found

    async def _open(self, instrument: InstrumentId) -> list[Evidence]:
        port = self._calls.port
        return await self._calls.make(
            "open_orders", Priority.ASK, lambda: port.open_orders(instrument)
        )

    async def _check(self, track: Track, resting: dict[str, Evidence], found: Found) -> None:
        """Evidence on one live order: it is among the open ones, or asked after by its id."""
        port = self._calls.port
        evidence = resting.get(port.ids.encode(track.order_id))
        if evidence is None:
            late = self._calls.now() >= track.sent + port.abilities.settles
            evidence = await self._calls.make(
                "order", Priority.ASK, lambda: port.order(track.known)
            )
            if evidence is None and not late:
                found.doubts.append(track)
                return
        found.facts += proof(track, evidence, self._calls.now())

    def _stranger(
        self, evidence: Evidence, lived: set[OrderId], began: Nanos, found: Found
    ) -> None:
        """An open order that was not live on the log when the venue was asked."""
        order_id = self._calls.port.ids.decode(evidence.client_id)
        track = self._tracks.get(order_id) if order_id is not None else None
        if track is None:
            found.facts.append(_foreign(evidence, self._calls.now()))
        elif track.order_id not in lived and track.closed and track.sent < began:
            found.facts.append(_foreign(evidence, self._calls.now()))
            track.venue_order_id = evidence.venue_order_id
            found.cancels.append(canceling(track.order_id, track.instrument, WHY_CLOSED))


def canceling(order_id: OrderId, instrument: InstrumentId, reason: str) -> CancelOrder:
    """A cancel that the gateway itself wants."""
    return CancelOrder(order_id=order_id, instrument=instrument, cause=Seq(0), reason=reason)


def _foreign(evidence: Evidence, at: Nanos) -> ForeignOrderSeen:
    return ForeignOrderSeen(
        instrument=evidence.instrument,
        venue_order_id=evidence.venue_order_id,
        client_order_id=evidence.client_id,
        side=evidence.side,
        price=evidence.price,
        size=evidence.size,
        filled=evidence.filled,
        received=at,
    )
