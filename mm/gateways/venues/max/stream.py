"""MAX's private socket, from the words that open it to the facts that it tells.

Snapshots of orders only name them, and snapshots of trades are passed over: what stands, and what
was filled before, is asked for by the reconciliation that follows each connection.
"""

from typing import Any, Final

import msgspec

from mm.events.vocabulary import Fact
from mm.gateways.user_stream import Ended
from mm.gateways.venues.max.errors import socket_refusal
from mm.gateways.venues.max.messages import BalanceNews, OrderNews, Reader, TradeNews
from mm.gateways.venues.max.rest import Signer
from mm.gateways.venues.max.wire import STREAM

PREFIXES: Final = {"spot": "", "m": "mwallet_"}
"""What stands before the names of a wallet's events."""


class Frame(msgspec.Struct):
    """Any frame; which list is filled depends on the event."""

    e: str
    c: str = ""
    E: list[str] = []
    o: list[OrderNews] = []
    t: list[TradeNews] = []
    B: list[BalanceNews] = []


_frame: Final[msgspec.json.Decoder[Frame]] = msgspec.json.Decoder(Frame)


class UserStream:
    """One wallet's news."""

    def __init__(self, signer: Signer, reader: Reader, wallet: str) -> None:
        """Nothing is heard yet."""
        self._signer = signer
        self._reader = reader
        self._prefix = PREFIXES[wallet]

    async def url(self) -> str:
        """Where all sockets are."""
        return STREAM

    def hello(self) -> bytes:
        """Who we are, and what we want to hear; raises `VenueSaid`."""
        self._reader.forget_waiting()
        nonce = self._signer.nonce()
        said: dict[str, Any] = {
            "action": "auth",
            "apiKey": self._signer.key,
            "nonce": nonce,
            "signature": self._signer.signed(str(nonce)),
            "filters": [f"{self._prefix}{name}" for name in ("order", "trade", "account")],
            "id": "account",
        }
        return msgspec.json.encode(said)

    def hear(self, body: bytes) -> list[Fact] | Ended | None:
        """The facts of a frame; None for the answer that lets the news come."""
        frame = _frame.decode(body)
        if frame.e == "authenticated":
            return None
        if frame.e == "error":
            raise socket_refusal(frame.E, STREAM)
        reader, event = self._reader, frame.e.removeprefix(self._prefix)
        if event in {"order_snapshot", "order_update"}:
            return [fact for each in frame.o for fact in reader.order(each)]
        if event == "trade_update":
            return [fact for each in frame.t for fact in reader.trade(each)]
        if event in {"account_snapshot", "account_update"}:
            return [reader.balance(each.cu, each.av, each.l, each.TU) for each in frame.B]
        return []
