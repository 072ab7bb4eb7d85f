"""The market sockets: `/ws`, `/ws/<streams>`, `/stream?streams=`, and what is said on them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Protocol

import msgspec
from aiohttp import WSCloseCode, web

from mm.emulator.binance.streams import Streams, Subscriber, encode
from mm.emulator.server import Hub
from mm.emulator.sockets import Socket

STREAMS_MAX: Final = 1_024
Id = int | Annotated[str, msgspec.Meta(max_length=36)] | None


class Join(Protocol):
    """Has a socket listen by a listen key, if there is such a key."""

    def __call__(self, socket: Socket, name: str, *, combined: bool) -> bool:
        """Whether there is."""
        ...


class Request(msgspec.Struct):
    """What a client says on a market socket."""

    method: str
    params: list[Any] = []
    id: Id = None


_request: Final = msgspec.json.Decoder(Request)


class MarketSockets:
    """The endpoints; `paths` are where they stand besides the plain ones."""

    def __init__(
        self,
        streams: Streams,
        hub: Hub,
        prefixes: tuple[str, ...],
        join: Join,
        messages_max: int,
    ) -> None:
        """Nothing is open yet; `join` takes names that may be listen keys.

        Whoever says more than `messages_max` in a second is cut off.
        """
        self._messages_max = messages_max
        self._join = join
        self._streams = streams
        self._hub = hub
        self._prefixes = prefixes

    def routes(self) -> list[web.RouteDef]:
        """Where the sockets are."""
        found: list[web.RouteDef] = []
        for prefix in self._prefixes:
            found += [
                web.get(f"{prefix}/ws", self.raw),
                web.get(f"{prefix}/ws/{{names}}", self.raw),
                web.get(f"{prefix}/stream", self.combined),
            ]
        return found

    async def raw(self, request: web.Request) -> web.StreamResponse:
        """Events as they are; a name without `@` is only there to tell connections apart."""
        names = request.match_info.get("names", "")
        return await self._serve(request, names, combined=False)

    async def combined(self, request: web.Request) -> web.StreamResponse:
        """Events beside the name of their stream."""
        return await self._serve(request, request.query.get("streams", ""), combined=True)

    async def _serve(
        self, request: web.Request, names: str, *, combined: bool
    ) -> web.StreamResponse:
        keys = names.split("/") + request.query.getall("listenKey", [])
        wanted = [name for name in names.split("/") if "@" in name or name.startswith("!")]

        def begin(socket: Socket) -> Callable[[str], Awaitable[None]]:
            socket.ended.append(self._streams.leave)
            dialogue = Dialogue(
                self._streams, Subscriber(socket, combined), self._join, self._messages_max
            )
            self._streams.subscribe(dialogue.subscriber, wanted)
            for key in filter(None, keys):
                self._join(socket, key, combined=combined)
            return dialogue.hear

        return await self._hub.serve(request, begin)


class Dialogue:
    """Requests on one market socket."""

    def __init__(
        self, streams: Streams, subscriber: Subscriber, join: Join, messages_max: int
    ) -> None:
        """Start as the address said."""
        self._said: deque[float] = deque(maxlen=messages_max + 1)
        self._streams = streams
        self._join = join
        self.subscriber = subscriber

    async def hear(self, said: str) -> None:
        """Do what is asked and say so; whoever asks too often is cut off."""
        socket = self.subscriber.socket
        now = asyncio.get_running_loop().time()
        self._said.append(now)
        if len(self._said) == self._said.maxlen and now - self._said[0] < 1:
            socket.close(WSCloseCode.POLICY_VIOLATION, b"Too many requests")
            return
        try:
            request = _request.decode(said)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            socket.send("", encode({"error": {"code": 3, "msg": f"Invalid JSON: {error}"}}))
            return
        answer = self._answer(request)
        socket.send("", encode({**answer, "id": request.id}))

    def _answer(self, request: Request) -> dict[str, Any]:
        names = [name for name in request.params if isinstance(name, str)]
        match request.method:
            case "SUBSCRIBE" if names and len(names) == len(request.params):
                if len(self._streams.of(self.subscriber.socket)) + len(names) > STREAMS_MAX:
                    return {"error": {"code": 2, "msg": "Invalid request: too many subscriptions"}}
                socket, combined = self.subscriber
                keys = {name for name in names if self._join(socket, name, combined=combined)}
                self._streams.subscribe(self.subscriber, (n for n in names if n not in keys))
            case "UNSUBSCRIBE" if names and len(names) == len(request.params):
                self._streams.unsubscribe(self.subscriber.socket, names)
            case "LIST_SUBSCRIPTIONS":
                return {"result": self._streams.of(self.subscriber.socket)}
            case "SUBSCRIBE" | "UNSUBSCRIBE":
                text = "Invalid request: request ID must be an unsigned integer, or params a list"
                return {"error": {"code": 2, "msg": text}}
            case "SET_PROPERTY" | "GET_PROPERTY":
                return {"result": self.subscriber.combined}
            case _:
                text = f"Invalid request: unknown variant `{request.method[:40]}`"
                return {"error": {"code": 2, "msg": text}}
        return {"result": None}
