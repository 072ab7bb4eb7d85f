"""StandX's market stream: books, prices and trades, and behind a login what an account hears.

Frames are numbered by socket, over all of its channels. Every frame of a book is the whole book.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any, Final

import msgspec

from mm.emulator.account import Account
from mm.emulator.binance.digits import Digits
from mm.emulator.exchange import Exchange, Listing, Told, Valued
from mm.emulator.kraken.wording import encode
from mm.emulator.orders import Happened, Update
from mm.emulator.sockets import Socket
from mm.emulator.standx import described, public
from mm.emulator.standx.calls import parsed
from mm.emulator.standx.keys import Doorman
from mm.emulator.standx.private import Private
from mm.emulator.standx.refusals import UNAUTHORIZED, Refused, invalid
from mm.events.account import FundingPaid
from mm.events.market import (
    BookDelta,
    BookSnapshot,
    IndexPublished,
    MarkPublished,
    TradePrinted,
)
from mm.events.units import MILLIS, Side

PUBLIC: Final = ("depth_book", "price", "public_trade")
PRIVATE: Final = ("order", "position", "balance", "trade")
GOOD: Final = 200
Payload = dict[str, Any]


class Subscriber:
    """One socket: what it hears, and how far it has counted."""

    def __init__(self, socket: Socket) -> None:
        """Hear nothing yet."""
        self._socket = socket
        self._sequence = 0
        self.topics: set[tuple[str, str]] = set()
        self.account: Account | None = None

    def send(self, channel: str, data: Any, symbol: str = "") -> None:
        """One frame."""
        self._sequence += 1
        named = {"symbol": symbol} if symbol else {}
        frame = {"seq": self._sequence, "channel": channel, **named, "data": data}
        self._socket.send(channel, encode(frame))

    def refuse(self, refused: Refused) -> None:
        """An error, of no channel."""
        self._socket.send("", encode({"code": refused.code, "message": refused.text}))


class Streams:
    """All sockets of the market stream; changes in place."""

    def __init__(self, exchange: Exchange, doorman: Doorman, private: Private) -> None:
        """Listen to the market."""
        self._exchange = exchange
        self._doorman = doorman
        self._private = private
        self._subscribers: dict[Socket, Subscriber] = {}
        self._random = Random(0)  # noqa: S311  The order of levels, seeded.
        exchange.listeners.append(self._hear)

    def begin(self, socket: Socket) -> Callable[[str], Awaitable[None]]:
        """A client is here; returns who hears what it says."""
        subscriber = self._subscribers[socket] = Subscriber(socket)
        socket.ended.append(self._leave)
        return partial(self._said, subscriber)

    def _leave(self, socket: Socket) -> None:
        subscriber = self._subscribers.pop(socket)
        account = subscriber.account
        if account is not None:
            account.listeners[:] = [
                each for each in account.listeners if getattr(each, "args", None) != (subscriber,)
            ]

    async def _said(self, subscriber: Subscriber, text: str) -> None:
        try:
            request = parsed(text)
            match request:
                case {"subscribe": dict(wanted)}:
                    self._subscribe(subscriber, wanted)
                case {"unsubscribe": dict(wanted)}:
                    subscriber.topics.discard(_topic(wanted))
                case {"auth": dict(wanted)}:
                    self._login(subscriber, wanted)
                case _:
                    raise invalid("request")
        except Refused as refused:
            subscriber.refuse(refused)

    def _subscribe(self, subscriber: Subscriber, wanted: Payload) -> None:
        channel, symbol = topic = _topic(wanted)
        if channel in PRIVATE:
            if subscriber.account is None:
                raise Refused(UNAUTHORIZED, "not authenticated")
            subscriber.topics.add((channel, ""))
            return
        listing = self._exchange.listings.get(symbol)
        if channel not in PUBLIC:
            raise invalid("channel")
        if listing is None:
            raise invalid("symbol")
        subscriber.topics.add(topic)
        if channel == "depth_book" and listing.book.has_depth:
            subscriber.send(channel, public.book(listing, self._random), symbol)
        if channel == "price":
            subscriber.send(channel, public.prices(self._exchange, listing), symbol)

    def _login(self, subscriber: Subscriber, wanted: Payload) -> None:
        try:
            account = self._doorman.owner(str(wanted.get("token", ""))).account
        except Refused as refused:
            subscriber.send("auth", {"code": refused.code, "msg": refused.text})
            return
        if subscriber.account is None:
            account.listeners.append(partial(self._news, subscriber))
        subscriber.account = account
        subscriber.send("auth", {"code": GOOD, "msg": "success"})
        for each in wanted.get("streams", []):
            self._subscribe(subscriber, each)

    # -- what the market tells -----------------------------------------------------------------

    def _hear(self, listing: Listing, told: Told | Valued) -> None:
        symbol = listing.instrument.symbol
        match told:
            case BookSnapshot() | BookDelta():
                self._tell("depth_book", symbol, partial(public.book, listing, self._random))
            case TradePrinted():
                self._tell("public_trade", symbol, partial(_printed, listing, told))
            case MarkPublished() | IndexPublished():
                self._tell("price", symbol, partial(public.prices, self._exchange, listing))
            case _:
                pass  # Quotes stand in the book, fundings are asked for.

    def _tell(self, channel: str, symbol: str, make: Callable[[], Payload]) -> None:
        heard = [each for each in self._subscribers.values() if (channel, symbol) in each.topics]
        if heard:
            data = msgspec.Raw(encode(make()))
            for each in heard:
                each.send(channel, data, symbol)

    def _news(self, subscriber: Subscriber, news: Update | FundingPaid) -> None:
        account = subscriber.account
        assert account is not None, "it hears of one"
        rows: list[tuple[str, Payload]] = []
        if isinstance(news, Update):
            if news.happened is Happened.REJECTED:
                return
            rows.append(("order", described.order(news.order)))
            if news.fill is not None:
                rows.append(("trade", described.trade(news.fill)))
        if isinstance(news, FundingPaid) or news.fill is not None:
            rows += self._standing(account)
        for channel, row in rows:
            if (channel, "") in subscriber.topics:
                subscriber.send(channel, row)

    def _standing(self, account: Account) -> list[tuple[str, Payload]]:
        """Positions and money after something moved them."""
        now = self._exchange.now()
        found = [("position", row) for row in self._private.standing(account)]
        assets = dict.fromkeys(each.instrument.settle for each in self._exchange.listings.values())
        money = self._private.money(account)
        return [*found, *(("balance", money.news(asset, now)) for asset in assets)]


def _topic(wanted: Payload) -> tuple[str, str]:
    channel, symbol = wanted.get("channel"), wanted.get("symbol", "")
    if not isinstance(channel, str) or not isinstance(symbol, str):
        raise invalid("channel")
    return channel, "" if channel in PRIVATE else symbol


def _printed(listing: Listing, told: TradePrinted) -> Payload:
    digits = Digits(listing.instrument, None)
    return {
        "id": int(told.trade_id) if told.trade_id.isdecimal() else 0,
        "price": digits.price(told.price),
        "qty": digits.size(told.size),
        "side": "buy" if told.aggressor is Side.BUY else "sell",
        "symbol": listing.instrument.symbol,
        "time": (told.venue_time or told.received) // MILLIS,
    }
