"""Orders of which nobody knows what became: the venue is asked until it has said.

Nothing is ever sent again. An order that the venue does not know is given up only when its command
can take effect no more and a reader would have seen it: receive window and read lag have passed.
An order that rests is evidence against an amend or a cancel only then, too.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mm.events.orders import OrderAmended, OrderResolved, OrderUncertain, Resolution
from mm.events.units import InstrumentId, Lots, Nanos
from mm.gateways.calls import Calls, Facts
from mm.gateways.limiter import Priority
from mm.gateways.order_port import Evidence
from mm.gateways.tracks import Track, Tracks
from mm.gateways.verdicts import VenueSaid

ASK_SECONDS: Final = 0.1
ASK_SECONDS_MAX: Final = 10.0
"""The pause between two questions: it doubles from the first to the second."""
Hear = Callable[[Facts], None]
FetchFills = Callable[[InstrumentId], Awaitable[Facts]]


class Inquiries:
    """One question under way for each order at most."""

    def __init__(self, calls: Calls, tracks: Tracks, hear: Hear, fills: FetchFills) -> None:
        """`hear` takes what is found, `fills` asks what was filled meanwhile."""
        self._calls = calls
        self._tracks = tracks
        self._hear = hear
        self._fills = fills

    async def after_doubt(self, track: Track, command: str, why: str) -> None:
        """Say that an order is uncertain, and ask until it is not."""
        doubt = OrderUncertain(
            order_id=track.order_id,
            instrument=track.instrument,
            command=command,
            why=why,
            received=self._calls.now(),
        )
        self._hear((doubt,))
        await self.ask(track, command)

    async def ask(self, track: Track, command: str) -> None:
        """Ask until the venue's evidence closes the doubt, or its stream has done so."""
        if track.asked:
            return
        track.asked = True
        try:
            await self._ask(track, command)
        finally:
            track.asked = False

    async def _ask(self, track: Track, command: str) -> None:
        pause, sent = ASK_SECONDS, track.sent
        settled = Nanos(sent + self._calls.port.abilities.settles)
        while not self._is_settled(track, command, sent):
            await asyncio.sleep(pause)
            pause = min(2 * pause, ASK_SECONDS_MAX)
            if self._is_settled(track, command, sent):
                return
            late = self._calls.now() >= settled  # Before asking: the answer is at least as new.
            try:
                evidence = await self._calls.make(
                    "order", Priority.ASK, lambda: self._calls.port.order(track.known)
                )
                if not is_final(evidence, command, late=late):
                    continue
                fills = await self._fills(track.instrument)
            except VenueSaid as said:
                pause = max(pause, min(said.retry_after, ASK_SECONDS_MAX))
                continue
            if not self._is_settled(track, command, sent):
                self._hear((*fills, *proof(track, evidence, self._calls.now())))
            return

    @staticmethod
    def _is_settled(track: Track, command: str, sent: Nanos) -> bool:
        """Whether the stream has said what became of it, or another command has left since."""
        return track.sent != sent or track.heard("place" if command == "place" else "cancel")


def is_final(evidence: Evidence | None, command: str, *, late: bool) -> bool:
    """Whether an answer cannot be changed any more by a command under way."""
    if late:
        return True
    if evidence is None:
        return False
    return command == "place" or evidence.resolution is not Resolution.OPEN


def proof(track: Track, evidence: Evidence | None, at: Nanos) -> Facts:
    """What the venue's answer proves, an amend included whose answer was lost."""
    closing = resolved(track, evidence, at)
    if evidence is None or evidence.resolution is not Resolution.OPEN:
        return (closing,)
    if (evidence.price, evidence.size) == (track.price, track.size):
        return (closing,)
    amended = OrderAmended(
        order_id=track.order_id,
        instrument=track.instrument,
        price=evidence.price,
        size=evidence.size,
        received=at,
        venue_time=evidence.venue_time,
    )
    return (amended, closing)


def resolved(track: Track, evidence: Evidence | None, at: Nanos) -> OrderResolved:
    """What became of the order; None is that the venue knows no such one, and never will."""
    if evidence is None:
        gone = track.proven or track.filled > 0
        return OrderResolved(
            order_id=track.order_id,
            instrument=track.instrument,
            resolution=Resolution.CANCELED if gone else Resolution.NEVER_ARRIVED,
            filled=track.filled if gone else Lots(0),
            evidence="asked the venue after all windows had passed: it knows no such order",
            received=at,
            venue_time=Nanos(0),
            venue_order_id=track.venue_order_id,
        )
    return OrderResolved(
        order_id=track.order_id,
        instrument=track.instrument,
        resolution=evidence.resolution,
        filled=evidence.filled,
        evidence=f"asked the venue: {evidence.resolution.value}",
        received=at,
        venue_time=evidence.venue_time,
        venue_order_id=evidence.venue_order_id,
    )
