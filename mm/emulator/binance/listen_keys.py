"""Listen keys: what an account's private stream is opened with, and who listens by it."""

import asyncio
import secrets
from typing import Final

from mm.emulator.account import Account
from mm.emulator.binance.calls import Call
from mm.emulator.binance.public import millis
from mm.emulator.binance.refusals import Refused
from mm.emulator.binance.streams import Payload, encode
from mm.emulator.binance.words import Word
from mm.emulator.exchange import Exchange
from mm.emulator.orders import Update
from mm.emulator.sockets import Socket
from mm.events.account import FundingPaid

VALID_SECONDS: Final = 3_600.0
USER_STREAM: Final = "userData"


class ListenKey:
    """One key, while it is valid; changes in place."""

    def __init__(self, key: str, account: Account, word: Word) -> None:
        """Nobody listens yet."""
        self._word = word
        self.key = key
        self.account = account
        self.sockets: dict[Socket, bool] = {}
        self.timer: asyncio.TimerHandle | None = None

    def leave(self, socket: Socket) -> None:
        """A socket is gone."""
        self.sockets.pop(socket, None)

    def hear(self, news: Update | FundingPaid) -> None:
        """Tell everybody who listens."""
        if self.sockets:
            for event in self._word(self.account, news):
                self.tell(event)

    def tell(self, event: Payload) -> None:
        """Send one event."""
        encoded = encode(event)
        for socket, combined in tuple(self.sockets.items()):
            wrapped = b'{"stream":"' + self.key.encode() + b'","data":' + encoded + b"}"
            socket.send(USER_STREAM, wrapped if combined else encoded)


class ListenKeys:
    """All keys of one market; changes in place."""

    def __init__(self, exchange: Exchange, word: Word) -> None:
        """`word` tells an account's news in the market's own events."""
        self._exchange = exchange
        self._word = word
        self._keys: dict[str, ListenKey] = {}

    def create(self, call: Call) -> Payload:
        """The account's key, made where it has none; valid for an hour from now."""
        return {"listenKey": self._create(call.account).key}

    def extend(self, call: Call) -> Payload:
        """An hour more; futures need not name the key, and are told it."""
        name = call.text("listenKey", "")
        found = self._keys.get(name) if name else self._of(call.account)
        if found is None:
            raise Refused(-1125, "This listenKey does not exist.")
        self._wind(found)
        return {"listenKey": found.key}

    def close(self, call: Call) -> Payload:
        """No more."""
        name = call.text("listenKey", "")
        found = self._keys.get(name) if name else self._of(call.account)
        if found is None:
            raise Refused(-1125, "This listenKey does not exist.")
        self._remove(found)
        for socket in tuple(found.sockets):
            socket.close()
        return {}

    def join(self, socket: Socket, name: str, *, combined: bool) -> bool:
        """A socket listens by a key; False where there is no such key."""
        found = self._keys.get(name)
        if found is None:
            return False
        found.sockets[socket] = combined
        socket.ended.append(found.leave)
        return True

    def expire(self) -> None:
        """Every key ends now, and whoever listens is told."""
        for found in tuple(self._keys.values()):
            self._expire(found)

    def _of(self, account: Account) -> ListenKey | None:
        return next((k for k in self._keys.values() if k.account is account), None)

    def _create(self, account: Account) -> ListenKey:
        found = self._of(account)
        if found is None:
            found = ListenKey(secrets.token_hex(32), account, self._word)
            self._keys[found.key] = found
            account.listeners.append(found.hear)
        self._wind(found)
        return found

    def _wind(self, key: ListenKey) -> None:
        if key.timer is not None:
            key.timer.cancel()
        loop = asyncio.get_running_loop()
        key.timer = loop.call_later(VALID_SECONDS, self._expire, key)

    def _expire(self, key: ListenKey) -> None:
        self._remove(key)
        at = millis(self._exchange.now())
        key.tell({"e": "listenKeyExpired", "E": at, "listenKey": key.key})

    def _remove(self, key: ListenKey) -> None:
        if key.timer is not None:
            key.timer.cancel()
        if self._keys.pop(key.key, None) is not None:
            key.account.listeners.remove(key.hear)
