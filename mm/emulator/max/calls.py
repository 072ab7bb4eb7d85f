"""A request as MAX reads it: what it asks for, and who signed it.

The payload is base64 of JSON: the path and all that was sent. It is signed, and has to say what the
query or the body says. A nonce is a time within 30 seconds of the venue's, and is used once.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange, Listing
from mm.emulator.max.refusals import invalid, unauthorized
from mm.events.instrument import InstrumentDefined
from mm.events.units import MILLIS, SECONDS, Nanos

NONCE_AGE_MAX: Final = Nanos(30 * SECONDS)
TEXT_MAX: Final = 64
Params = Mapping[str, Any]


def market(instrument: InstrumentDefined) -> str:
    """A market's id: `usdttwd`."""
    return f"{instrument.base}{instrument.quote}".lower()


def listing(exchange: Exchange, name: object) -> Listing:
    """The listing of a market; raises `Refused`."""
    for each in exchange.listings.values():
        if market(each.instrument) == name:
            return each
    raise invalid("market")


def millis(at: int) -> int:
    """Whole milliseconds."""
    return at // MILLIS


class Call(msgspec.Struct, kw_only=True):
    """One request with its parameters; `wallet` where its path names one."""

    exchange: Exchange
    params: Params
    signed_by: Account | None = None
    wallet: str = "spot"

    @property
    def account(self) -> Account:
        """Whose request it is; only where it was signed."""
        assert self.signed_by is not None, "the endpoint is not signed"
        return self.signed_by

    def text(self, name: str, default: str | None = None) -> str:
        """A parameter; needed unless there is a default."""
        value = self.params.get(name)
        if value is None or value == "":
            if default is None:
                raise invalid(name)
            return default
        readable = isinstance(value, str | int) and not isinstance(value, bool)
        if not readable or len(str(value)) > TEXT_MAX:
            raise invalid(name)
        return str(value)

    def decimal(self, name: str) -> Decimal:
        """A number above zero that has to be there."""
        try:
            value = Decimal(self.text(name))
        except InvalidOperation as error:
            raise invalid(name) from error
        if not value.is_finite() or value <= 0:
            raise invalid(name)
        return value

    def whole(self, name: str, default: int, most: int | None = None) -> int:
        """A whole number up to `most`."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdecimal()) or (most is not None and int(text) > most):
            raise invalid(name)
        return int(text)

    def listing(self) -> Listing:
        """The market that has to be named."""
        return listing(self.exchange, self.text("market"))


class Signatures:
    """Checks who signed; remembers the nonces of every key."""

    def __init__(self, exchange: Exchange) -> None:
        """Nobody has called yet."""
        self._exchange = exchange
        self._nonces: dict[str, dict[int, None]] = {}

    def check(self, path: str, sent: Params, headers: Mapping[str, str]) -> Account:
        """Who signed a request; raises `Refused`."""
        account = self._exchange.accounts.get(headers.get("X-MAX-ACCESSKEY", ""))
        if account is None:
            raise unauthorized(2008, "The access key does not exist.")
        payload = headers.get("X-MAX-PAYLOAD", "")
        if not self.signed(account, payload, headers.get("X-MAX-SIGNATURE", "")):
            raise unauthorized(2005, "Signature is incorrect.")
        said = _opened(payload)
        if said.pop("path", None) != path or _plain(said) != _plain(dict(sent)):
            raise unauthorized(2014, "Payload is not consistent with body, or of another path.")
        why = self.nonce(account, said.get("nonce"))
        if why == "late":
            raise unauthorized(2007, "The nonce is invalid.")
        if why:
            raise unauthorized(2006, "The nonce has already been used by access key.")
        return account

    @staticmethod
    def signed(account: Account, text: str, signature: object) -> bool:
        """Whether a text was signed with an account's secret."""
        secret = account.keys.secret.encode()
        made = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(made.encode(), str(signature).encode())

    def nonce(self, account: Account, nonce: object) -> str:
        """Use a nonce up; returns `late` or `used` where that cannot be, else nothing."""
        now = self._exchange.now()
        if not isinstance(nonce, int) or abs(now - nonce * MILLIS) > NONCE_AGE_MAX:
            return "late"
        used = self._nonces.setdefault(account.keys.key, {})
        if nonce in used:
            return "used"
        used[nonce] = None
        oldest = millis(now - 2 * NONCE_AGE_MAX)
        while (first := next(iter(used))) < oldest:
            del used[first]
        return ""


def _opened(payload: str) -> dict[str, Any]:
    """What a payload says."""
    try:
        said = json.loads(base64.b64decode(payload, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise unauthorized(2015, "Payload is invalid.") from error
    if not isinstance(said, dict):
        raise unauthorized(2015, "Payload is invalid.")
    return said


def _plain(value: Any) -> Any:
    """The same for what stands in a query, where everything is a text."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def parameters(query: Any, body: str) -> dict[str, Any]:
    """What was sent: JSON in the body, or the query, whose lists are named with brackets."""
    if body:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise invalid("body") from error
        if not isinstance(found, dict):
            raise invalid("body")
        return found
    return {
        name.removesuffix("[]"): query.getall(name) if name.endswith("[]") else query[name]
        for name in query
    }
