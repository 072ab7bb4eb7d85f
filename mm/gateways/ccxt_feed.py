"""The market data of any venue that ccxt.pro knows, as far as ccxt tells it.

ccxt hands out the present state of a book, not each update, and no numbers that could be checked:
what comes between two looks is conflated, and a gap that ccxt does not notice (it does on few
venues) is not noticed here either. So every book is told as the change from the last one we saw,
numbered by ourselves, of the best `ccxt_words.LEVELS` a side. Venues that are traded on in earnest
deserve a port of their own.

Every call is awaited with a limit, for a receiving loop of ccxt's may stand still for good; after
an error there is always a pause, for the same error may be raised again at once, for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import ccxt.pro
import msgspec
from ccxt.async_support.base.ws import client as ws_client

from mm.errors import BadInput, ConfigError, VenueUnavailable
from mm.events.instrument import InstrumentDefined
from mm.events.market import FeedDown, FeedUp
from mm.events.units import InstrumentId
from mm.events.vocabulary import Market
from mm.gateways.ccxt_words import CcxtBook, defined
from mm.gateways.overload import Offer, Owed
from mm.gateways.questions import Outside

PREFIX: Final = "ccxt."
SILENCE_SECONDS_MAX: Final = 60.0
REASON_MAX: Final = 200
TRADES_REMEMBERED: Final = 5_000
CHANNELS: Final = {"book": "watchOrderBook", "trades": "watchTrades", "quotes": "watchTicker"}

Client = Any
"""An exchange of ccxt's, which has no types."""


def client_of(venue: str, outside: Outside, options: Mapping[str, Any] | None = None) -> Client:
    """ccxt.pro's client of `ccxt.<id>`, speaking through our session; raises `ConfigError`."""
    name = venue.removeprefix(PREFIX)
    if name not in ccxt.pro.exchanges:
        raise ConfigError(
            f"ccxt.pro has no sockets for {name!r}",
            where="feed.venue",
            remedy="write ccxt. and an id of ccxt's: ccxt.bybit",
        )
    mend()
    return getattr(ccxt.pro, name)({"session": outside.session, "options": dict(options or {})})


def mend() -> None:
    """Have ccxt read its sockets through aiohttp alone, in this process.

    It empties aiohttp's buffer behind its back and forgets what aiohttp counts for each message
    beside its bytes, until aiohttp believes the buffer full and never reads again: thousands of
    messages a second are enough. Without a buffer in sight ccxt takes message by message.
    """
    ws_client.Client.buffer = None


def hosts_of(venue: str, more: Iterable[str] = ()) -> tuple[str, ...]:
    """The hosts of a venue that stand in ccxt's description of it, and some more."""
    name = venue.removeprefix(PREFIX)
    if name not in ccxt.pro.exchanges:
        return tuple(more)  # Who makes the client says so.
    made = getattr(ccxt.pro, name)()
    found: dict[str, None] = dict.fromkeys(more)
    waiting = [made.urls.get("api"), made.urls.get("ws")]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, str) and "://" in each:
            host = each.replace("{hostname}", made.hostname or "").split("/")[2]
            found[host.partition(":")[0]] = None
    return tuple(found)


async def listed(
    client: Client, venue: str, symbols: tuple[str, ...]
) -> tuple[InstrumentDefined, ...]:
    """The instruments named, numbered from 1; raises `ConfigError` or `VenueUnavailable`."""
    try:
        markets = await client.load_markets()
    except ccxt.BaseError as error:
        raise VenueUnavailable(
            f"the instruments cannot be had: {type(error).__name__} {error}"[:REASON_MAX],
            where=venue,
            remedy="try again",
        ) from error
    for symbol in symbols:
        if symbol not in markets:
            raise ConfigError(
                f"{symbol} is not listed",
                where=venue,
                remedy="write the symbol as ccxt does: BTC/USDT, BTC/USDT:USDT",
            )
    digits = client.precisionMode == ccxt.DECIMAL_PLACES
    return tuple(
        defined(markets[symbol], venue, InstrumentId(place), digits=digits)
        for place, symbol in enumerate(symbols, start=1)
    )


class CcxtSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: of silence that end a wait, and before another try."""

    silence_max: float = SILENCE_SECONDS_MAX
    wait_min: float = 0.25
    wait_max: float = 30.0


class CcxtFeed:
    """A feed like `VenueFeed`, over a client of ccxt's; `run` ends only when it is cancelled."""

    def __init__(
        self,
        client: Client,
        outside: Outside,
        instruments: tuple[InstrumentDefined, ...],
        channels: tuple[str, ...] = (),
        settings: CcxtSettings | None = None,
    ) -> None:
        """Watch `channels`, or all that the venue has; raises `ConfigError`."""
        offered = tuple(each for each, method in CHANNELS.items() if client.has.get(method))
        unknown = [each for each in channels if each not in offered]
        if unknown:
            raise ConfigError(
                f"ccxt has no {unknown[0]} of {client.id}",
                where="feed.channels",
                remedy=f"choose of {', '.join(offered)}",
            )
        self.instruments = instruments
        self._channels = channels or offered
        self._client = client
        self._outside = outside
        self._settings = settings or CcxtSettings()
        self._books = {each.instrument: CcxtBook(each) for each in instruments}
        self._printed: dict[InstrumentId, dict[str, None]] = {
            each.instrument: {} for each in instruments
        }
        self._owed = Owed(lambda _at, _facts: False)

    async def run(self, offer: Offer) -> None:
        """Watch every channel of every instrument."""
        self._owed = Owed(offer)
        watching = [
            asyncio.create_task(self._watch(each, channel))
            for each in self.instruments
            for channel in self._channels
        ]
        try:
            done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.wait(watching)
            await self._client.close()

    async def _watch(self, instrument: InstrumentDefined, channel: str) -> None:
        number, up = instrument.instrument, False
        tries, settings = 0, self._settings
        while True:
            try:
                facts = await self._looked(instrument, channel)
            except (ccxt.BaseError, BadInput, OSError, TimeoutError) as error:
                if up:
                    self._down(number, channel, f"{type(error).__name__}: {error}"[:REASON_MAX])
                up = False
                wait = min(settings.wait_max, settings.wait_min * 2**tries)
                tries = min(tries + 1, 16)
                await asyncio.sleep(wait * (0.5 + self._outside.chance.random() / 2))
                continue
            received = self._outside.now()
            if not up:
                up, tries = True, 0
                self._tell(number, [FeedUp(instrument=number, received=received, channel=channel)])
            self._tell(number, facts)
            await asyncio.sleep(0)  # ccxt may have the next one ready, and the next.

    def _down(self, number: InstrumentId, channel: str, reason: str) -> None:
        self._books[number].lose()
        received = self._outside.now()
        down = FeedDown(instrument=number, received=received, channel=channel, reason=reason)
        self._tell(number, [down])

    def _tell(self, number: InstrumentId, facts: list[Market]) -> None:
        """Hand facts on; without room the book is told whole the next time."""
        if facts and not self._owed.tell(self._outside.now(), facts):
            self._books[number].lose()

    async def _looked(self, instrument: InstrumentDefined, channel: str) -> list[Market]:
        """The next news of a channel."""
        symbol, book = instrument.symbol, self._books[instrument.instrument]
        match channel:
            case "book":
                found = await self._within(self._client.watch_order_book, symbol)
                return book.seen(found, self._outside.now())
            case "quotes":
                found = await self._within(self._client.watch_ticker, symbol)
                return book.quote(found, self._outside.now())
            case _:
                rows = await self._within(self._client.watch_trades, symbol)
                printed, now = self._printed[instrument.instrument], self._outside.now()
                fresh = [row for row in rows if str(row["id"]) not in printed]
                printed |= dict.fromkeys(str(row["id"]) for row in fresh)
                while len(printed) > TRADES_REMEMBERED:
                    del printed[next(iter(printed))]
                return [book.trade(row, now) for row in fresh]

    async def _within(self, watch: Callable[[str], Awaitable[Any]], symbol: str) -> Any:
        """What ccxt says next; its sockets are declared dead when that takes too long."""
        asked = asyncio.ensure_future(watch(symbol))
        done, _ = await asyncio.wait([asked], timeout=self._settings.silence_max)
        if not done:
            self._give_up()
            asked.cancel()
            raise TimeoutError(f"nothing was heard for {self._settings.silence_max:g} s")
        return asked.result()

    def _give_up(self) -> None:
        """End the sockets that say nothing, so that the next call dials anew."""
        for socket in tuple(self._client.clients.values()):
            socket.on_error(ccxt.NetworkError("nothing was heard"))
