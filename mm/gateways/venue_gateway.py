"""A real account behind the gateway's port: what is sent leaves later, what becomes of it is told.

`send` only enqueues. Workers carry commands to the venue, cancels first; each outcome is a fact,
and what nobody knows is asked about until somebody does. The private stream tells the rest; each
time it stands anew the whole account is held against the venue's, and nothing is quoted before.
A task of ours that fails is a bug: it halts trading, and cancels still leave.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from mm.errors import VenueUnavailable
from mm.events.account import AccountDown
from mm.events.orders import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    OrderFilled,
    OrderSubmitted,
    PlaceOrder,
)
from mm.events.session import NoteTaken, TradingHalted
from mm.events.units import InstrumentId, Nanos, OrderId
from mm.events.vocabulary import Intent
from mm.gateways.account_settings import AccountSettings
from mm.gateways.calls import Calls, Facts, worded
from mm.gateways.clock_check import VenueClock
from mm.gateways.commands import Commands
from mm.gateways.credentials import refuse_dangerous
from mm.gateways.inquiries import Inquiries
from mm.gateways.limiter import Limiter, Priority
from mm.gateways.order_port import OrderPort, StreamDown, StreamUp
from mm.gateways.reconciliation import Found, Reconciliation
from mm.gateways.tasks import Tasks
from mm.gateways.tracks import Lookup, Tracks
from mm.gateways.verdicts import VenueSaid
from mm.projections.orders import Order

DRAIN_SECONDS: Final = 0.01
COMMANDS: Final[dict[type, str]] = {
    PlaceOrder: "place",
    AmendOrder: "amend",
    CancelOrder: "cancel",
    CancelAll: "cancel_all",
}


class Ties(NamedTuple):
    """What holds a gateway to its session.

    `tell` takes facts into the inbox, `now` is log time, `lookup` finds an order on the log, and
    `is_booked` knows the fills that the log has.
    """

    tell: Callable[..., None]
    now: Callable[[], Nanos]
    lookup: Lookup
    is_booked: Callable[[OrderFilled], bool]


class VenueGateway:
    """One venue account."""

    def __init__(
        self,
        port: OrderPort,
        limiter: Limiter,
        clock: VenueClock,
        ties: Ties,
        settings: AccountSettings,
    ) -> None:
        """It starts with the first `reconcile`."""
        self._port = port
        self._limiter = limiter
        self._tell = ties.tell
        self._settings = settings
        self._calls = Calls(port, limiter, ties.tell, ties.now, settings.calls)
        self._calls.on_skew = self._skewed
        self._tracks = Tracks(settings.wallet, ties.lookup, ties.is_booked)
        self._tasks = Tasks(self._failed)
        self._inquiries = Inquiries(self._calls, self._tracks, self._hear, self._fills)
        self._commands = Commands(
            self._calls, self._tracks, self._inquiries, self._tasks, self._hear, settings
        )
        self._reconciliation: Reconciliation | None = None
        self._clock = clock
        self._measure = asyncio.Event()
        self._timed = asyncio.Event()
        self._up = asyncio.Event()
        self._connections = 0
        self._permitted = False
        self._last = "nothing"
        self._started = False
        self._reconciled = False
        self._resync: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None
        self.on_failure: list[Callable[[BaseException], None]] = []

    def learn(self, instruments: tuple[InstrumentId, ...], since: Nanos) -> None:
        """What is traded, and from when on fills may be missing from the log; comes first."""
        self._reconciliation = Reconciliation(
            self._calls, self._tracks, instruments, self._settings.wallet, since
        )

    # -- the gateway's port --------------------------------------------------------------------

    def observe(self, at: Nanos, facts: Facts) -> None:
        """The venue knows its market."""

    def due(self) -> Nanos | None:
        """Facts come by themselves."""
        return None

    def poll(self, at: Nanos) -> Facts:  # noqa: ARG002 - nothing waits here.
        """Facts come by themselves."""
        return ()

    def send(self, at: Nanos, intent: Intent) -> Facts:
        """Enqueue a command; returns that it was, and what will never leave."""
        submitted = OrderSubmitted(
            order_id=OrderId("") if isinstance(intent, CancelAll) else intent.order_id,
            instrument=intent.instrument,
            command=COMMANDS[type(intent)],
            sent=at,
        )
        if isinstance(intent, CancelAll):
            unsent = self._commands.cancel_all(at, intent.instrument, intent.reason)
        else:
            unsent = self._commands.enqueue(at, intent)
        return (submitted, *unsent)

    async def reconcile(self, at: Nanos, live: list[Order]) -> Facts:  # noqa: ARG002 - time moves.
        """Connect if that was not done, and hold the account against the venue's.

        Raises `VenueUnavailable` where the venue cannot be asked at the start (later that is told),
        and `VenueRefused` for a key that may do more than trade.
        """
        for order in live:
            self._tracks.learn(order)
        if not self._started:
            self._started = True
            self._commands.start()
            self._tasks.start(self._keep_time())
            self._tasks.start(self._listen())
            self._tasks.start(self._look_again())
        try:
            async with asyncio.timeout(self._settings.connect_seconds_max):
                return await self._reconcile()
        except TimeoutError:
            if self._reconciled:
                text = f"the venue could not be asked in time; last heard: {self._last}"
                return (NoteTaken(who="gateway", text=text),)
            raise VenueUnavailable(
                f"{self._port.venue} did not say what is in the account within "
                f"{self._settings.connect_seconds_max:g} seconds; last heard: {self._last}",
                where=", ".join(self._port.hosts),
                remedy="`mm venue check` says what fails; orders that rest there still rest",
            ) from None

    async def close(self) -> None:
        """Let go, once the cancels that were enqueued have left or its patience is spent."""
        give_up = time.monotonic() + self._settings.close_seconds_max
        while (  # noqa: ASYNC110 - several things are waited for, and only here.
            self._started and not self._commands.idle and time.monotonic() < give_up
        ):
            await asyncio.sleep(DRAIN_SECONDS)
        await self._tasks.close()
        await self._limiter.close()

    # -- what is heard -------------------------------------------------------------------------

    def _hear(self, facts: Facts) -> None:
        told = self._tracks.hear(facts)
        if told:
            self._tell(*told)

    def _failed(self, failure: BaseException) -> None:
        """Whatever is broken: trading halts, and cancels leave."""
        self.failure = self.failure or failure
        what = f"a task of the gateway failed: {type(failure).__name__}"
        self._tell(TradingHalted(who="gateway", reason=what))
        self._commands.start_cancel_worker()
        for told in self.on_failure:
            told(failure)

    async def _listen(self) -> None:
        """What the private stream says, for ever."""
        await self._timed.wait()  # What subscribes may have to be signed.
        while True:
            try:
                async for news in self._port.stream():
                    match news:
                        case StreamUp():
                            self._connected()
                        case StreamDown():
                            self._disconnected(news.reason)
                        case _:
                            self._hear(news)
            except VenueSaid as said:
                self._last = worded(said)
                self._disconnected(worded(said))
                self._commands.halt_if_pointless(said)
            await asyncio.sleep(self._settings.retry_seconds)

    async def _keep_time(self) -> None:
        """Measure the venue's clock, for ever."""
        while True:
            try:
                measured = await self._clock.measure(self._venue_time)
            except VenueSaid as said:
                self._last = worded(said)
                await asyncio.sleep(self._settings.retry_seconds)
                continue
            self._tell(measured)
            if not measured.safe:
                await asyncio.sleep(self._settings.retry_seconds)
                continue
            self._timed.set()
            self._measure.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.clock_every_seconds):
                    await self._measure.wait()

    def _skewed(self) -> None:
        """The venue refused a stamp: nothing is signed before the clock was measured anew."""
        self._clock.doubt()
        self._measure.set()

    async def _venue_time(self) -> Nanos:
        return await self._calls.make("venue_clock", Priority.ASK, self._port.venue_clock)

    def _connected(self) -> None:
        self._connections += 1
        self._up.set()
        if self._reconciled:
            if self._resync is not None:
                self._resync.cancel()
            self._resync = self._tasks.start(self._tell_reconciled())

    def _disconnected(self, reason: str) -> None:
        if self._up.is_set():
            self._up.clear()
            wallet, at = self._settings.wallet, self._calls.now()
            self._tell(AccountDown(wallet=wallet, reason=reason, received=at))

    # -- the account ---------------------------------------------------------------------------

    async def _fills(self, instrument: InstrumentId) -> Facts:
        assert self._reconciliation is not None, "learn comes first"
        return await self._reconciliation.fills(instrument)

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self._settings.reconcile_every_seconds)
            if self._reconciled and self._up.is_set():
                await self._tell_reconciled()

    async def _tell_reconciled(self) -> None:
        self._tell(*await self._reconcile())

    async def _reconcile(self) -> Facts:
        """Ask until the venue has answered everything, while the stream stands."""
        assert self._reconciliation is not None, "learn comes first"
        while True:
            await self._up.wait()
            connection = self._connections
            try:
                await self._check_key()
                found = await self._reconciliation.run()
            except VenueSaid as said:
                self._last = worded(said)
                self._commands.halt_if_pointless(said)
                await asyncio.sleep(max(self._settings.retry_seconds, said.retry_after))
                continue
            if self._up.is_set() and connection == self._connections:
                self._reconciled = True
                return self._settle(found)

    async def _check_key(self) -> None:
        """Once, before the account is used; raises `VenueRefused` for one that may do too much."""
        if not self._permitted:
            ask = self._port.permissions
            found = await self._calls.make("permissions", Priority.ASK, ask)
            refuse_dangerous(self._port.venue, found)
            self._permitted = True

    def _settle(self, found: Found) -> Facts:
        """Do what the comparison asks for; returns what it found."""
        facts, at = self._tracks.hear(tuple(found.facts)), self._calls.now()
        for track in found.doubts:
            self._tasks.start(self._inquiries.ask(track, "place"))
        for cancel in found.cancels:
            closed = self._tracks.get(cancel.order_id)
            assert closed is not None, "it was found by its id"
            self._tracks.reopen(closed)
            self._commands.enqueue(at, cancel)
        return facts
