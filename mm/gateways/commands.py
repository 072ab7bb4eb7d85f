"""Commands on their way: workers carry them to the venue, and each outcome becomes facts.

What adds risk is sent once, and stays here when it would leave too late. A cancel is tried until
the venue has looked at it, for it can do no harm twice; it waits for what is under way of its own
order, and for nothing else. Of what nobody knows the outcome, the venue is asked.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from mm.events.orders import (
    AmendOrder,
    AmendRejected,
    CancelOrder,
    CancelRejected,
    OrderRejected,
    OrderResolved,
    PlaceOrder,
    Resolution,
)
from mm.events.session import TradingHalted
from mm.events.units import InstrumentId, Lots, Nanos
from mm.gateways.account_settings import AccountSettings
from mm.gateways.calls import Calls, Facts, is_uncertain, worded
from mm.gateways.inquiries import Hear, Inquiries
from mm.gateways.limiter import Priority
from mm.gateways.outbox import Outbox, Queued
from mm.gateways.reconciliation import canceling
from mm.gateways.tasks import Tasks
from mm.gateways.tracks import Track, Tracks
from mm.gateways.verdicts import REASONS, VenueSaid, Verdict

AGAIN: Final = frozenset(
    {Verdict.NOT_SENT, Verdict.RATE_LIMITED, Verdict.BANNED, Verdict.BUSY, Verdict.CLOCK_SKEW}
)
"""The venue did not look at the command: a cancel tries again."""
RETRY_SECONDS_MAX: Final = 60.0


class Commands:
    """The outbox of one account and who empties it."""

    def __init__(
        self,
        calls: Calls,
        tracks: Tracks,
        inquiries: Inquiries,
        tasks: Tasks,
        hear: Hear,
        settings: AccountSettings,
    ) -> None:
        """`hear` takes outcomes."""
        self._calls = calls
        self._port = calls.port
        self._tracks = tracks
        self._inquiries = inquiries
        self._tasks = tasks
        self._hear = hear
        self._settings = settings
        self._outbox = Outbox()
        self._working = 0

    def start(self) -> None:
        """Put the workers to work; some take nothing but cancels."""
        for _ in range(self._settings.workers):
            self._tasks.start(self._work(cancels_only=False))
        for _ in range(self._settings.cancel_workers):
            self.start_cancel_worker()

    def start_cancel_worker(self) -> None:
        """One more who takes cancels."""
        self._tasks.start(self._work(cancels_only=True))

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and no cancel waits."""
        return not (self._working or self._outbox.cancels)

    # -- in ------------------------------------------------------------------------------------

    def enqueue(self, at: Nanos, command: PlaceOrder | AmendOrder | CancelOrder) -> Facts:
        """Put it where workers take from; returns what will never leave."""
        if isinstance(command, PlaceOrder):
            self._tracks.place(command)
        unsent: list[OrderResolved] = []
        if isinstance(command, CancelOrder):
            waiting = self._outbox.withdraw(command.order_id)
            unsent += [self._never(each.command, "canceled before it left", at) for each in waiting]
            if any(each.resolution is Resolution.NEVER_ARRIVED for each in unsent):
                return tuple(unsent)
        if not self._outbox.put(Queued(at, command)):
            unsent.append(self._never(command, "too many commands wait already", at))
        return tuple(unsent)

    def cancel_all(self, at: Nanos, instrument: InstrumentId, reason: str) -> Facts:
        """Cancel each order of ours: the account may be shared."""
        unsent: list[Any] = []
        for track in self._tracks.live:
            if track.instrument == instrument:
                unsent += self.enqueue(at, canceling(track.order_id, instrument, reason))
        return tuple(unsent)

    def _never(
        self, command: PlaceOrder | AmendOrder | CancelOrder, why: str, at: Nanos
    ) -> OrderResolved:
        """Evidence that a command never left; an order that was to be amended rests as it was."""
        assert not isinstance(command, CancelOrder), "cancels are always sent"
        track = self._tracks.get(command.order_id)
        assert track is not None, f"an order nobody placed: {command.order_id}"
        place = isinstance(command, PlaceOrder)
        if place:
            self._tracks.close(track)
        return OrderResolved(
            order_id=command.order_id,
            instrument=command.instrument,
            resolution=Resolution.NEVER_ARRIVED if place else Resolution.OPEN,
            filled=Lots(0) if place else track.filled,
            evidence=f"not sent: {why}",
            received=at,
            venue_time=Nanos(0),
        )

    # -- out -----------------------------------------------------------------------------------

    async def _work(self, *, cancels_only: bool) -> None:
        while True:
            queued = await self._outbox.take(cancels_only=cancels_only)
            self._working += 1
            try:
                await self._leave(queued)
            finally:
                self._working -= 1

    async def _leave(self, queued: Queued) -> None:
        command, port = queued.command, self._port
        track = self._tracks.get(command.order_id)
        assert track is not None, f"an order nobody placed: {command.order_id}"
        if track.busy:  # Whoever is busy with it puts it back.
            track.waiting.append(queued)
            return
        track.busy = True
        try:
            match command:
                case PlaceOrder() as order:
                    await self._attempt(track, order, "place", lambda: port.place(order))
                case AmendOrder() as amend:
                    call = lambda: port.amend(amend, track.known)  # noqa: E731
                    await self._attempt(track, amend, "amend", call)
                case CancelOrder() as cancel:
                    await self._cancel(track, cancel)
        finally:
            track.busy = False
            waiting, track.waiting = track.waiting, []
            for each in waiting:
                self._outbox.put(each)

    async def _attempt(
        self,
        track: Track,
        command: PlaceOrder | AmendOrder,
        name: str,
        call: Callable[[], Coroutine[Any, Any, Facts]],
    ) -> None:
        """Send what adds risk, once."""
        if track.closed:
            return
        try:
            facts = await self._calls.make(
                name, Priority.PLACE, call, before=lambda: self._stamp(track)
            )
        except VenueSaid as said:
            self._refused(track, command, name, said)
        else:
            self._hear(facts)
            self._expect(track, name)

    def _refused(
        self, track: Track, command: PlaceOrder | AmendOrder, name: str, said: VenueSaid
    ) -> None:
        at = self._calls.now()
        self.halt_if_pointless(said)
        if is_uncertain(said):
            self._doubt(track, name, worded(said))
        elif said.verdict is Verdict.NOT_SENT:
            self._hear((self._never(command, worded(said), at),))
        elif name == "place":
            self._hear((_refusal(OrderRejected, track, said, at),))
        else:
            self._hear((_refusal(AmendRejected, track, said, at),))
            if said.verdict is Verdict.ORDER_NOT_FOUND:
                self._doubt(track, name, worded(said))

    async def _cancel(self, track: Track, command: CancelOrder) -> None:
        """Send a cancel until the venue has looked at it."""
        pause = self._settings.cancel_pause_seconds
        for number in range(self._settings.cancel_tries_max):
            if track.closed:
                return
            try:
                facts = await self._calls.make(
                    "cancel",
                    Priority.CANCEL,
                    lambda: self._port.cancel(command, track.known),
                    before=lambda: self._stamp(track),
                )
            except VenueSaid as said:
                last = number + 1 == self._settings.cancel_tries_max
                if said.verdict not in AGAIN or last:
                    self._not_canceled(track, said)
                    return
                await asyncio.sleep(max(pause, min(said.retry_after, RETRY_SECONDS_MAX)))
                pause *= 2
            else:
                self._hear(facts)
                self._expect(track, "cancel")
                return

    def _not_canceled(self, track: Track, said: VenueSaid) -> None:
        """It may have been filled, be gone, or rest: the venue is asked, nothing is assumed."""
        self.halt_if_pointless(said)
        if track.closed:
            return
        if not is_uncertain(said) and said.verdict not in AGAIN:
            self._hear((_refusal(CancelRejected, track, said, self._calls.now()),))
        self._doubt(track, "cancel", worded(said))

    def halt_if_pointless(self, said: VenueSaid) -> None:
        """Without permission, going on is for a person to decide."""
        if said.verdict is Verdict.NOT_PERMITTED:
            reason = f"{self._port.venue}: {worded(said)}"
            self._hear((TradingHalted(who="gateway", reason=reason),))

    def _stamp(self, track: Track) -> None:
        track.sent = self._calls.now()

    def _doubt(self, track: Track, command: str, why: str) -> None:
        if command == "amend" or not track.heard(command):
            self._tasks.start(self._inquiries.after_doubt(track, command, why))

    def _expect(self, track: Track, command: str) -> None:
        """What the answer did not prove the stream will say, or else it is asked for."""
        if not track.heard(command):
            self._tasks.start(self._ask_later(track, command, track.sent))

    async def _ask_later(self, track: Track, command: str, sent: Nanos) -> None:
        await asyncio.sleep(self._settings.heard_seconds_max)
        if not track.heard(command) and track.sent == sent:
            why = "the venue took the command, and said no more"
            await self._inquiries.after_doubt(track, command, why)


def _refusal(
    kind: type[OrderRejected | AmendRejected | CancelRejected],
    track: Track,
    said: VenueSaid,
    at: Nanos,
) -> OrderRejected | AmendRejected | CancelRejected:
    return kind(
        order_id=track.order_id,
        instrument=track.instrument,
        reason=REASONS[said.verdict],
        received=at,
        venue_time=Nanos(0),
        raw_code=said.raw_code,
        raw_text=said.raw_text,
    )
