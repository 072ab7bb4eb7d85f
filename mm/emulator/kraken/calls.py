"""A request as Kraken reads it: a form or JSON in the body, signed over path, nonce and body."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.kraken.refusals import (
    INVALID_KEY,
    INVALID_NONCE,
    INVALID_SIGNATURE,
    Refused,
    invalid,
)

NONCE_DIGITS_MAX: Final = 20
TEXT_MAX: Final = 256


class Call(msgspec.Struct, kw_only=True):
    """One request with its parameters; numbers are decimals, never floats."""

    exchange: Exchange
    params: Mapping[str, Any]
    signed_by: Account | None = None

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
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | Decimal) or len(str(value)) > TEXT_MAX:
            raise invalid(name)
        return str(value)

    def decimal(self, name: str) -> Decimal | None:
        """A number, None where there is none."""
        text = self.text(name, "")
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise invalid(name) from error
        if not value.is_finite() or value < 0:
            raise invalid(name)
        return value

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdecimal()):
            raise invalid(name)
        return int(text)

    def flag(self, name: str) -> bool:
        """True or false; false where it was not sent."""
        text = self.text(name, "false").lower()
        if text not in {"true", "false", "1", "0"}:
            raise invalid(name)
        return text in {"true", "1"}

    def texts(self, name: str) -> list[str]:
        """A list, or texts with commas between."""
        value = self.params.get(name)
        if isinstance(value, list):
            if not all(isinstance(each, str) for each in value):
                raise invalid(name)
            return value
        return [each for each in self.text(name, "").split(",") if each]


def parsed(said: str) -> Any:
    """JSON whose numbers are exact; raises `ValueError`."""
    try:
        return json.loads(said, parse_float=Decimal, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError(said[:40]) from error


def _refuse(name: str) -> Any:
    raise ValueError(name)


def parameters(body: str, content_type: str) -> dict[str, Any]:
    """What was sent in the body; raises `Refused`."""
    if content_type != "application/json":
        return dict(parse_qsl(body, keep_blank_values=True))
    try:
        found = parsed(body)
    except ValueError as error:
        raise invalid("body") from error
    if not isinstance(found, dict):
        raise invalid("body")
    return found


class Signatures:
    """Checks who signed; remembers the last nonce of every key."""

    def __init__(self, exchange: Exchange) -> None:
        """Nobody has called yet."""
        self._exchange = exchange
        self._nonces: dict[str, int] = {}

    def check(
        self, path: str, body: str, params: Mapping[str, Any], key: str, sign: str
    ) -> Account:
        """Who signed it; raises `Refused`."""
        account = self._exchange.accounts.get(key)
        if account is None:
            raise Refused(INVALID_KEY)
        nonce = str(params.get("nonce", ""))
        if not (nonce.isascii() and nonce.isdecimal() and len(nonce) <= NONCE_DIGITS_MAX):
            raise Refused(INVALID_NONCE)
        if not hmac.compare_digest(
            _signature(account.keys.secret, path, nonce, body), sign.encode()
        ):
            raise Refused(INVALID_SIGNATURE)
        if int(nonce) <= self._nonces.get(key, 0):
            raise Refused(INVALID_NONCE)
        self._nonces[key] = int(nonce)
        return account


def _signature(secret: str, path: str, nonce: str, body: str) -> bytes:
    """HMAC-SHA512 with the decoded secret over path and SHA-256 of nonce and body."""
    try:
        shared = base64.b64decode(secret, validate=True)
    except binascii.Error:
        shared = secret.encode()  # A secret that a person chose for the emulator.
    inner = hashlib.sha256((nonce + body).encode()).digest()
    return base64.b64encode(hmac.new(shared, path.encode() + inner, hashlib.sha512).digest())
