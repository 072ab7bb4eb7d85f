"""A request as Binance reads it: parameters from query and body, who signed, and what it asks.

REST and the WebSocket API differ in how a request is carried and signed, not in what it means; so
both end in a `Call`, which the same endpoints answer.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from mm.emulator.account import Account
from mm.emulator.binance.refusals import PRICE_FORM, Refused, malformed, missing
from mm.emulator.exchange import Exchange
from mm.events.units import MILLIS

RECV_WINDOW: Final = 5_000
RECV_WINDOW_MAX: Final = 60_000
AHEAD_MAX: Final = 1_000
"""Milliseconds by which a client's clock may be ahead."""
CLIENT_ID: Final = re.compile(r"^[a-zA-Z0-9-_.:/]{1,36}$")
NUMBER: Final = re.compile(PRICE_FORM)


class Security(StrEnum):
    """What an endpoint asks of the client."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


class Call(msgspec.Struct, kw_only=True):
    """One request with its parameters as texts."""

    exchange: Exchange
    params: Mapping[str, str]
    signed_by: Account | None = None

    @property
    def account(self) -> Account:
        """Whose request it is; only where the endpoint is signed."""
        assert self.signed_by is not None, "the endpoint is not signed"
        return self.signed_by

    def text(self, name: str, default: str | None = None) -> str:
        """A parameter; needed unless there is a default."""
        value = self.params.get(name)
        if value is None or (not value and default is None):
            if default is None:
                raise missing(name)
            return default
        return value

    def given(self, name: str) -> bool:
        """Whether it was sent."""
        return bool(self.params.get(name))

    def decimal(self, name: str) -> Decimal:
        """A number without an exponent or a sign."""
        value = self.text(name)
        if not NUMBER.match(value):
            raise malformed(name)
        return Decimal(value)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        value = self.text(name, None if default is None else str(default))
        if not (value.isascii() and value.isdecimal() and len(value) <= 19):  # noqa: PLR2004
            raise malformed(name, "^[0-9]{1,20}$")
        return int(value)

    def flag(self, name: str) -> bool:
        """True or false; false where it was not sent."""
        value = self.text(name, "false").lower()
        if value not in {"true", "false"}:
            raise malformed(name, "true|false")
        return value == "true"

    def client_id(self, name: str) -> str:
        """An id of the client's own; empty where none was sent."""
        value = self.params.get(name, "")
        if value and not CLIENT_ID.match(value):
            raise malformed(name, "^[a-zA-Z0-9-_]{1,36}$")
        return value


class Endpoint(NamedTuple):
    """What answers a request, what it weighs, and what it asks of the client.

    `orders` are how many the request counts for in the limit of orders.
    """

    answer: Callable[[Call], Any]
    weight: int | Callable[[Call], int] = 1
    security: Security = Security.NONE
    orders: int = 0

    def weigh(self, call: Call) -> int:
        """What one request weighs."""
        return self.weight if isinstance(self.weight, int) else self.weight(call)


def parameters(query: str, body: str) -> dict[str, str]:
    """What was sent in either; the query wins."""
    sent = dict(parse_qsl(body, keep_blank_values=True))
    return sent | dict(parse_qsl(query, keep_blank_values=True))


def key_of(exchange: Exchange, key: str | None) -> Account:
    """Who has this key; raises `Refused`."""
    if not key:
        raise Refused(-2014, "API-key format invalid.", status=401)
    account = exchange.accounts.get(key)
    if account is None:
        raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
    return account


def check_rest_signature(account: Account, query: str, body: str) -> None:
    """The signature is over query and body as they were sent, without itself."""
    params = parameters(query, body)
    if not params.get("signature"):
        raise missing("signature")
    payload = _unsigned(query) + _unsigned(body)
    _check(account, payload, params["signature"])


def check_socket_signature(account: Account, params: Mapping[str, str]) -> None:
    """The signature is over the parameters in alphabetical order."""
    if not params.get("signature"):
        raise missing("signature")
    names = sorted(name for name in params if name != "signature")
    payload = "&".join(f"{name}={params[name]}" for name in names)
    _check(account, payload, params["signature"])


def check_time(exchange: Exchange, params: Mapping[str, str]) -> None:
    """The request was made recently, by the venue's clock."""
    call = Call(exchange=exchange, params=params)
    stamp, window = call.whole("timestamp"), call.whole("recvWindow", RECV_WINDOW)
    if window > RECV_WINDOW_MAX:
        raise Refused(-1131, "recvWindow must be less than 60000.")
    now = exchange.now() // MILLIS
    if stamp >= now + AHEAD_MAX:
        text = "Timestamp for this request was 1000ms ahead of the server's time."
        raise Refused(-1021, text)
    if now - stamp > window:
        raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")


def _unsigned(sent: str) -> str:
    return "&".join(part for part in sent.split("&") if not part.startswith("signature="))


def _check(account: Account, payload: str, signature: str) -> None:
    right = hmac.new(account.keys.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, signature.lower()):
        raise Refused(-1022, "Signature for this request is not valid.")
