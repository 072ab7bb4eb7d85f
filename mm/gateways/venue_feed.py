"""A venue's public market data, live: sockets kept, snapshots asked for, facts handed on.

One implementation for every `MarketPort`. A frame that cannot be read is one gap and never the end
of the feed; facts that find no room become gaps that are told as soon as there is room, and the
books are joined anew. A connection that cannot be had for long is polled over REST meanwhile, where
the port knows how; such facts come between `FeedUp` and `FeedDown` of the channel `poll/…`, and the
connection's own channel stays down.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from mm.errors import BadInput
from mm.events.instrument import InstrumentDefined
from mm.events.market import FeedStale
from mm.events.units import SECONDS, InstrumentId, Nanos
from mm.events.vocabulary import Fact
from mm.gateways.asking import VERDICTS, ask
from mm.gateways.listing_watch import ListingWatch
from mm.gateways.market_port import Frame, MarketPort, Renew, Request, Say
from mm.gateways.overload import Offer, Owed
from mm.gateways.questions import Outside, Questions
from mm.gateways.sockets import USUAL, DialFailed, KeeperSettings, SocketKeeper
from mm.gateways.verdicts import VenueSaid

TICK_SECONDS: Final = 0.05
"""How often what is due is looked at: snapshots wanted, silence, polling."""
POLL: Final = "poll"
REASON_MAX: Final = 200
FULL: Final = "there was no room for what was heard"


class Raw(Protocol):
    """Who keeps what was heard, as it was."""

    def frame(self, frame: Frame) -> None:
        """A frame or an answer."""
        ...

    def event(self, received: Nanos, channel: str, kind: str, reason: str) -> None:
        """A connection stands (`joined`), stands no more (`parted`), or was found full (`lost`)."""
        ...


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Ages and intervals of a live feed."""

    stale_after: Nanos = Nanos(10 * SECONDS)
    poll_after: Nanos = Nanos(30 * SECONDS)
    poll_every: Nanos = Nanos(SECONDS)
    redefine_every: Nanos = Nanos(3_600 * SECONDS)
    sockets: KeeperSettings = USUAL


class Known(NamedTuple):
    """The instruments of a feed, and why some have no market now."""

    instruments: tuple[InstrumentDefined, ...]
    closed: dict[InstrumentId, str]
    answers: tuple[Frame, ...] = ()


async def known(port: MarketPort, outside: Outside, symbols: tuple[str, ...]) -> Known:
    """Ask a venue for its instruments; raises `VenueSaid`, `BadInput` or `ConfigError`."""
    session, now = outside.session, outside.now
    answers = tuple([await ask(session, request, now) for request in port.definitions()])
    instruments = port.instruments(answers, symbols)
    return Known(instruments, port.closed(answers, instruments), answers)


def missed_reason(frame: Frame, error: BadInput) -> str:
    """Why a frame is missed, as the log has it."""
    return f"{frame.channel}: {error.what}"[:REASON_MAX]


class VenueFeed:
    """The feed of one port; `run` ends only when it is cancelled, or with a bug of ours."""

    def __init__(
        self,
        port: MarketPort,
        outside: Outside,
        known: Known,
        *,
        settings: FeedSettings | None = None,
        raw: Raw | None = None,
    ) -> None:
        """Open nothing yet."""
        self.instruments = known.instruments
        self.settings = settings or FeedSettings()
        self.parser = port.parser(known.instruments)
        self.unread = 0
        self._port = port
        self._now = now = outside.now
        self._raw = raw
        self._connections = {each.channel: each for each in port.connections(self.instruments)}
        self._keepers = {
            channel: SocketKeeper(outside, each, self, self.settings.sockets)
            for channel, each in self._connections.items()
        }
        self._questions = Questions(
            port.venue, outside, lambda limited: self._tell(limited.received, (limited,))
        )
        self._listing = ListingWatch(port, self.instruments, now, self._tell, self._lose)
        self._closed = known.closed
        self._away = dict.fromkeys(self._connections, now())
        self._polling: dict[str, asyncio.Task[None]] = {}
        self._polled: set[str] = set()
        self._spoke = dict.fromkeys([each.instrument for each in self.instruments], now())
        self._stale: set[InstrumentId] = set()
        self._asking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] | None = None
        self._owed = Owed(lambda _at, _facts: False)

    @property
    def replaced(self) -> int:
        """Sockets that were replaced while they stood."""
        return sum(each.replaced for each in self._keepers.values())

    @property
    def dropped(self) -> int:
        """Facts that found no room."""
        return self._owed.dropped

    async def run(self, offer: Offer) -> None:
        """Hear the venue; what it says is offered, False meaning that there was no room."""
        self._owed = Owed(offer)
        self._failed = asyncio.get_running_loop().create_future()
        self._listing.tell_closed(self._closed)
        works = [keeper.run() for keeper in self._keepers.values()]
        watching = self._listing.run(self._questions, self.settings.redefine_every)
        try:
            for work in (*works, self._tick(), watching):
                self._start(work)
            await self._failed
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None and self._failed is not None and not self._failed.done():
            self._failed.set_exception(failure)

    # -- what the sockets tell -----------------------------------------------------------------

    def heard(self, frame: Frame) -> None:
        """A frame or an answer becomes facts; one that cannot be read becomes a gap."""
        if self._raw is not None:
            self._raw.frame(frame)
        try:
            facts: Sequence[Fact] = self.parser.parse(frame)
        except BadInput as error:
            self.unread += 1
            reason = missed_reason(frame, error)
            facts = self.parser.missed(frame.channel, frame.received, reason)
        if facts:
            self._tell(frame.received, facts)
            number = getattr(facts[0], "instrument", None)
            if number is not None:
                self._spoke[number] = frame.received

    def joined(self, channel: str, received: Nanos) -> None:
        """A connection stands: nobody polls for it any more."""
        del self._away[channel]
        polling = self._polling.pop(channel, None)
        if polling is not None:
            polling.cancel()
            self._poll_over(channel, received, "the socket is back")
        self._note(received, channel, "joined", "")
        self._tell(received, self.parser.connected(channel, received))

    def parted(self, channel: str, received: Nanos, reason: str) -> None:
        """A connection stands no more."""
        self._away[channel] = received
        self._note(received, channel, "parted", reason)
        self._tell(received, self.parser.disconnected(channel, received, reason))

    def refused(self, channel: str, failure: DialFailed) -> None:
        """A socket could not be had; that the venue wants fewer of them is told."""
        verdict = VERDICTS.get(failure.status)
        if verdict is not None:
            code = str(failure.status)
            said = VenueSaid(verdict, raw_code=code, retry_after=failure.wait)
            self._questions.hold(channel, said)

    def _note(self, received: Nanos, channel: str, kind: str, reason: str) -> None:
        if self._raw is not None:
            self._raw.event(received, channel, kind, reason)

    def _lose(self, instrument: InstrumentId, received: Nanos, reason: str) -> list[Fact]:
        """Give up the books of the connections that carry an instrument."""
        facts: list[Fact] = []
        for channel, connection in self._connections.items():
            if instrument in connection.instruments:
                self._note(received, channel, "lost", reason)
                facts += self.parser.missed(channel, received, reason)
        return facts

    def _tell(self, received: Nanos, facts: Sequence[Fact]) -> None:
        """Hand facts on; without room for them every book is a gap."""
        if not facts or self._owed.tell(received, facts):
            return
        for channel in self._connections:
            self._note(received, channel, "lost", FULL)
            self._owed.owe(self.parser.missed(channel, received, FULL))

    # -- what is due ---------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            at = self._now()
            self._owed.settle(at)
            for wish in self.parser.wants(at):
                self._fulfil(wish)
            self._tell_silence(at)
            for channel, since in self._away.items():
                if at - since > self.settings.poll_after and channel not in self._polling:
                    self._polling[channel] = self._start(self._poll(channel))

    def _fulfil(self, wish: Request | Say | Renew) -> None:
        match wish:
            case Request():
                if wish.channel not in self._asking:
                    self._asking.add(wish.channel)
                    self._start(self._answer(wish))
            case Say(channel=channel, text=text):
                self._start(self._keepers[channel].say(text))
            case Renew(channel=channel):
                self._keepers[channel].renew()

    def _tell_silence(self, at: Nanos) -> None:
        """Say once that an instrument is not heard of."""
        for number, spoke in self._spoke.items():
            age = Nanos(at - spoke)
            if age <= self.settings.stale_after:
                self._stale.discard(number)
            elif number not in self._stale:
                self._stale.add(number)
                self._tell(at, (FeedStale(instrument=number, received=at, age=age),))

    async def _answer(self, request: Request) -> None:
        """Ask until there is an answer, which is heard like a frame."""
        try:
            frame = await self._questions.answer(request)
        finally:
            self._asking.discard(request.channel)
        self.heard(frame)

    # -- without sockets -----------------------------------------------------------------------

    async def _poll(self, channel: str) -> None:
        """Ask again and again while a connection is away."""
        requests = self._port.polls(self._connections[channel], self.instruments)
        backoff = self._questions.backoff()
        while requests:
            seconds = self.settings.poll_every / SECONDS
            for request in requests:
                frame = await self._questions.ask(request)
                if frame is None:
                    self._poll_over(channel, self._now(), "nor does the venue answer")
                    seconds = backoff.seconds(self._questions.wait)
                    break
                self._poll_begun(channel, frame.received)
                self.heard(frame)
            await asyncio.sleep(seconds)

    def _poll_begun(self, channel: str, received: Nanos) -> None:
        if channel not in self._polled:
            self._polled.add(channel)
            polled = f"{POLL}/{channel}"
            self._note(received, polled, "joined", "")
            self._tell(received, self.parser.connected(polled, received))

    def _poll_over(self, channel: str, received: Nanos, reason: str) -> None:
        if channel in self._polled:
            self._polled.remove(channel)
            polled = f"{POLL}/{channel}"
            self._note(received, polled, "parted", reason)
            self._tell(received, self.parser.disconnected(polled, received, reason))
