"""`mm feed`: one process hears venues for everybody on the bus, as long as somebody listens.

A subscription opens a stream, heartbeats keep it; a heartbeat for a stream that is not there opens
it, so that nobody has to notice that the service was started anew. A subscription or heartbeat that
wants an answer gets how the stream stands, and a request on a book's subject the current book.
What cannot be had is answered, and said on the subject on which the book would come.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec
from nats.aio.msg import Msg

from mm.apps.feed_streams import IDLE, Stream, refusal
from mm.apps.feed_venues import Venue
from mm.apps.feed_words import Subjects, Wanted, wanted_from
from mm.errors import BadInput, MmError
from mm.events.units import Nanos
from mm.events.vocabulary import Fact
from mm.gateways.tasks import Tasks
from mm.gateways.venue_feed import Known, VenueFeed
from mm.log.wire import Wire

TICK_SECONDS: Final = 0.02
STREAMS_MAX: Final = 200
WAYS_MAX: Final = 16
FULL: Final = "the service has as many streams as it may"
OPENING: Final = "it is being opened"
NOBODY: Final = "nobody has subscribed to it"


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a service; a stream closes `idle` nanoseconds after its last heartbeat."""

    subjects: Subjects
    idle: Nanos = IDLE
    streams_max: int = STREAMS_MAX
    ways_max: int = WAYS_MAX


class Place(NamedTuple):
    """A stream's instrument, by the venue's own name for it."""

    exchange: str
    symbol: str


class Open(NamedTuple):
    """A stream, and the feed that it hears."""

    stream: Stream
    feed: VenueFeed
    task: "asyncio.Task[None]"


class FeedService:
    """Streams by what they are of; `run` ends when it is cancelled, or with a bug of ours."""

    def __init__(
        self,
        wire: Wire,
        venues: Mapping[str, Venue],
        settings: ServiceSettings,
        now: Callable[[], Nanos] = lambda: Nanos(time.monotonic_ns()),
    ) -> None:
        """Listen to nobody yet."""
        self.open: dict[Place, Open] = {}
        self.refused = 0
        self._wire = wire
        self._venues = venues
        self._settings = settings
        self._now = now
        self._places: dict[Place, Place] = {}
        self._opening: dict[Place, set[Wanted]] = {}
        self._tasks = Tasks(self._fail)
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Serve; `ready` is set once requests are heard."""
        subjects, nc = self._settings.subjects, self._wire.nc
        heard = [
            await nc.subscribe(subjects.subscriptions, cb=self._asked),
            await nc.subscribe(subjects.heartbeats, cb=self._asked),
            await nc.subscribe(subjects.books, cb=self._requested),
        ]
        try:
            await nc.flush()
            await nc.flush()  # The first ping of nats-py overtakes what waits to be written.
            if ready is not None:
                ready.set()
            self._tasks.start(self._tick())
            await self._failed
        finally:
            await self._tasks.close()
            if not nc.is_closed:
                for each in heard:
                    await each.unsubscribe()

    def status(self) -> str:
        """One line: streams, who wants them, what found no room."""
        streams = [each.stream for each in self.open.values()]
        ways = sum(len(each.ways) for each in streams)
        unsent = sum(each.unsent for each in streams)
        return (
            f"{len(streams)} streams in {ways} ways, {len(self._opening)} being opened, "
            f"{self.refused} refused, {unsent} unsent"
        )

    def _fail(self, failure: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(failure)

    # -- what is asked -------------------------------------------------------------------------

    async def _asked(self, message: Msg) -> None:
        """A subscription or a heartbeat."""
        exchange = unquote(message.subject.rpartition(".")[2])
        try:
            wanted = wanted_from(message.data)
        except BadInput as error:
            self._refuse(exchange, Wanted(symbol=""), str(error), message.reply)
            return
        self._answer(message.reply, self.wanted(exchange, wanted, message.reply))

    async def _requested(self, message: Msg) -> None:
        """Something on a book's subject: a request where it has somewhere to answer to."""
        if not message.reply:
            return
        exchange, symbol = map(unquote, message.subject.split(".")[-2:])
        wanted = Wanted(symbol=symbol)
        place = self._places.get(Place(exchange, symbol))
        found = self.open.get(place) if place is not None else None
        if found is not None:
            self._answer(message.reply, found.stream.answer(wanted))
        else:
            self._answer(message.reply, refusal(exchange, wanted, NOBODY, "closed"))

    def wanted(self, exchange: str, wanted: Wanted, reply: str = "") -> bytes:
        """Somebody wants a stream, or still does: the answer, if it is not given later."""
        asked = Place(exchange, wanted.symbol)
        place = self._places.get(asked)
        found = self.open.get(place) if place is not None else None
        if found is not None:
            return self._renewed(found.stream, wanted, reply)
        waiting = self._opening.get(asked)
        if waiting is not None:
            waiting.add(wanted)
        elif exchange not in self._venues:
            return self._refuse(exchange, wanted, f"it serves {', '.join(self._venues)}", reply)
        elif len(self.open) + len(self._opening) >= self._settings.streams_max:
            return self._refuse(exchange, wanted, FULL, reply)
        else:
            self._opening[asked] = {wanted}
            self._tasks.start(self._open(asked))
        return refusal(exchange, wanted, OPENING, "opening")

    def _renewed(self, stream: Stream, wanted: Wanted, reply: str) -> bytes:
        ways = stream.ways
        if wanted not in ways and len(ways) >= self._settings.ways_max:
            return self._refuse(stream.exchange, wanted, FULL, reply)
        if stream.renew(wanted, self._now()) and not wanted.events:
            ways[wanted].due = True  # Whoever comes late hears the book at once.
            stream.settle(self._now())
        return stream.answer(wanted) if reply else b""

    def _refuse(self, exchange: str, wanted: Wanted, reason: str, reply: str) -> bytes:
        """Say so where the book would come, for one who asked without wanting an answer."""
        self.refused += 1
        body = refusal(exchange, wanted, reason)
        if wanted.symbol:
            self._send(self._settings.subjects.stream(exchange, wanted).encode(), body)
        elif reply:
            self._answer(reply, body)
        return body

    def _answer(self, reply: str, body: bytes) -> None:
        if reply and body:
            self._send(reply.encode(), body)

    def _send(self, subject: bytes, payload: bytes) -> bool:
        """Publish; not what the server would end the connection for."""
        fits = len(payload) <= self._wire.nc.max_payload
        return fits and self._wire.send(subject, b"", payload)

    # -- streams -------------------------------------------------------------------------------

    async def _open(self, asked: Place) -> None:
        """Find what was asked for, and hear it."""
        venue = self._venues[asked.exchange]
        try:
            known = await venue.find(asked.symbol)
        except MmError as error:
            for wanted in self._opening.pop(asked):
                self._refuse(asked.exchange, wanted, str(error), "")
            return
        place = Place(asked.exchange, known.instruments[0].symbol)
        self._places[asked] = self._places[place] = place
        if place not in self.open:
            self.open[place] = self._opened(venue, known, asked.exchange)
        for wanted in self._opening.pop(asked):
            self._renewed(self.open[place].stream, wanted, "")

    def _opened(self, venue: Venue, known: Known, exchange: str) -> Open:
        definition = known.instruments[0]
        stream = Stream(exchange, definition, self._settings.subjects, self._send)
        feed = venue.feed(known)
        return Open(stream, feed, self._tasks.start(feed.run(partial(self._heard, stream))))

    def _heard(self, stream: Stream, received: Nanos, facts: tuple[Fact, ...]) -> bool:
        stream.hear(received, facts, self._now())
        return True

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.tend()

    def tend(self) -> None:
        """Tell what is due, and close what nobody wants any more."""
        at = self._now()
        for place, each in tuple(self.open.items()):
            each.stream.settle(at)
            if not each.stream.expire(at, self._settings.idle):
                del self.open[place]
                each.task.cancel()
                self._places = {asked: at for asked, at in self._places.items() if at != place}
