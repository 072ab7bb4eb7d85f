"""What is said on Kraken's sockets: requests with a method, each answered under its number."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from mm.emulator.exchange import Exchange
from mm.emulator.kraken import names
from mm.emulator.kraken.calls import parsed
from mm.emulator.kraken.refusals import Refused
from mm.emulator.kraken.streams import Payload, Streams, Topic, detail_of
from mm.emulator.kraken.wording import encode, moment
from mm.emulator.sockets import Socket
from mm.events.units import Nanos

CHANNELS: Final = ("book", "trade", "ticker", "ohlc")
SYMBOLS_MAX: Final = 200
THEN: Final = "then"
"""Under this name an answer holds what is to be done once it was given."""
Answer = Callable[[dict[str, Any]], list[Payload]]


class Dialogue:
    """One client's requests; what answers each method is given."""

    def __init__(self, exchange: Exchange, socket: Socket, methods: dict[str, Answer]) -> None:
        """Answer on a socket."""
        self._exchange = exchange
        self._socket = socket
        self._methods = methods

    async def hear(self, said: str) -> None:
        """Do what is asked and say so; one request may have several answers."""
        began = self._exchange.now()
        try:
            request = parsed(said)
        except ValueError:
            self._refuse("", "Malformed request", began, {})
            return
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            self._refuse("", "Method is missing", began, {})
            return
        method, params = request["method"], request.get("params", {})
        marks = {"req_id": request["req_id"]} if isinstance(request.get("req_id"), int) else {}
        if method == "ping":
            self._say({"method": "pong"}, began, marks)
            return
        answer = self._methods.get(method)
        if answer is None or not isinstance(params, dict):
            self._refuse(method, "Method not found", began, marks)
            return
        try:
            for each in answer(params):
                then = each.pop(THEN, None)
                self._say({"method": method, "success": True, **each}, began, marks)
                if then is not None:
                    then()
        except Refused as refused:
            self._refuse(method, refused.text, began, marks)

    def _refuse(self, method: str, error: str, began: Nanos, marks: Payload) -> None:
        self._say({"error": error, "method": method, "success": False}, began, marks)

    def _say(self, payload: Payload, began: Nanos, marks: Payload) -> None:
        times = {"time_in": moment(began), "time_out": moment(self._exchange.now())}
        self._socket.send("", encode({**payload, **marks, **times}))


class PublicChannels:
    """Subscriptions of one client to public channels."""

    def __init__(self, exchange: Exchange, streams: Streams, socket: Socket) -> None:
        """None yet."""
        self._exchange = exchange
        self._streams = streams
        self._socket = socket

    def methods(self) -> dict[str, Answer]:
        """What can be asked."""
        return {"subscribe": self.subscribe, "unsubscribe": self.unsubscribe}

    def subscribe(self, params: dict[str, Any]) -> list[Payload]:
        """Each pair is answered apart, its snapshot follows."""
        snapshot = params.get("snapshot", params.get("channel") != "trade") is True
        answers: list[Payload] = []
        for topic in self._topics(params):
            if self._streams.subscribed(self._socket, topic):
                answers.append(_refused(topic, "Already subscribed"))
                continue
            if problem := self._unknown(topic):
                answers.append(_refused(topic, problem))
                continue
            follow = partial(self._streams.subscribe, self._socket, topic, snapshot=snapshot)
            answers.append({"result": _named(topic) | {"snapshot": snapshot}, THEN: follow})
        return answers

    def unsubscribe(self, params: dict[str, Any]) -> list[Payload]:
        """Each pair is answered apart."""
        return [
            {"result": _named(topic)}
            if self._streams.unsubscribe(self._socket, topic)
            else _refused(topic, "Subscription Not Found")
            for topic in self._topics(params)
        ]

    def _unknown(self, topic: Topic) -> str:
        if topic.channel == "instrument":
            return ""
        try:
            listing = names.listing(self._exchange, topic.symbol)
        except Refused:
            return f"Currency pair not supported {topic.symbol}"
        return (
            ""
            if names.symbol(listing.instrument) == topic.symbol
            else "Currency pair not in ISO format"
        )

    def _topics(self, params: dict[str, Any]) -> list[Topic]:
        channel, symbols = params.get("channel"), params.get("symbol", [])
        if channel == "instrument":
            return [Topic("instrument", "")]
        detail = detail_of(str(channel), params)
        if channel not in CHANNELS:
            raise Refused(f"Channel not found: {channel}")
        if detail is None:
            raise Refused("Subscription depth or interval not supported")
        if not isinstance(symbols, list) or not 0 < len(symbols) <= SYMBOLS_MAX:
            raise Refused("Symbol is missing")
        return [Topic(str(channel), str(symbol), detail) for symbol in symbols]


def _named(topic: Topic) -> Payload:
    """A topic in an answer."""
    named: Payload = {"channel": topic.channel}
    if topic.symbol:
        named["symbol"] = topic.symbol
    if topic.detail:
        named["depth" if topic.channel == "book" else "interval"] = topic.detail
    return named


def _refused(topic: Topic, error: str) -> Payload:
    return {"success": False, "error": error, "symbol": topic.symbol}
