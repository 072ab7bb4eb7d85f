"""StandX's order stream: a session that logs in hears what became of its requests, and makes some.

A request made on it is answered twice: that it was taken, and what came of it.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.kraken.wording import encode
from mm.emulator.sockets import Socket
from mm.emulator.standx.calls import Call, parsed
from mm.emulator.standx.keys import Doorman
from mm.emulator.standx.limits import Limits
from mm.emulator.standx.refusals import BAD, UNAUTHORIZED, Refused, invalid

Act = Callable[[Call], Any]


class Responses:
    """All sockets of the order stream, by session; changes in place."""

    def __init__(self, exchange: Exchange, doorman: Doorman, limits: Limits) -> None:
        """Nobody is here yet."""
        self._exchange = exchange
        self._doorman = doorman
        self._limits = limits
        self._sessions: dict[str, Socket] = {}
        self.acts: dict[str, Act] = {}

    def tell(self, session: str, request_id: str, code: int, message: str) -> None:
        """Say on a session what became of a request, where anybody listens."""
        socket = self._sessions.get(session)
        if socket is not None:
            _say(socket, request_id, code, message)

    def begin(self, socket: Socket) -> Callable[[str], Awaitable[None]]:
        """A client is here; returns who hears what it says."""
        socket.ended.append(self._leave)
        return partial(self._said, socket, {})

    def _leave(self, socket: Socket) -> None:
        self._sessions = {name: each for name, each in self._sessions.items() if each is not socket}

    async def _said(self, socket: Socket, owners: dict[str, str], text: str) -> None:
        request_id = ""
        try:
            request = parsed(text)
            request_id = str(request.get("request_id", ""))
            self._do(socket, owners, request, request_id)
        except Refused as refused:
            _say(socket, request_id, refused.code, refused.text)

    def _do(
        self, socket: Socket, owners: dict[str, str], request: dict[str, Any], request_id: str
    ) -> None:
        method, session = request.get("method"), request.get("session_id")
        params = request.get("params")
        if not isinstance(session, str) or not session or not request_id:
            raise invalid("session_id")
        if not isinstance(params, str):
            raise invalid("params")
        if method == "auth:login":
            shown = str(parsed(params).get("token", ""))
            self._doorman.owner(shown)
            owners[session] = shown
            self._sessions[session] = socket
            _say(socket, request_id, 0, "success")
            return
        act = self.acts.get(str(method))
        if act is None:
            raise Refused(BAD, "unknown method")
        if session not in owners:
            raise Refused(UNAUTHORIZED, "not authenticated")
        account = self._signed(owners[session], request.get("header"), params)
        call = Call(
            exchange=self._exchange,
            params=parsed(params),
            signed_by=account,
            request_id=request_id,
            session=session,
        )
        act(call)
        _say(socket, request_id, 0, "accepted")

    def _signed(self, shown: str, header: Any, params: str) -> Account:
        if not isinstance(header, dict):
            raise invalid("header")
        signer = self._doorman.owner(shown)
        self._limits.account(signer.account.keys.key)
        self._doorman.check(signer, {k: str(v) for k, v in header.items()}, params)
        return signer.account


def _say(socket: Socket, request_id: str, code: int, message: str) -> None:
    body = {"code": code, "message": message, "request_id": request_id}
    socket.send("response", encode(body))
