"""Who asks at StandX: a web token says so, and a key on Ed25519 signs the bodies of commands.

A pair of keys of the emulator stands for both: the token is its key, the signing key its secret in
base 58. With the login flow a client brings a key of its own and is given another token; the
wallet's signature in it is taken as it is, for wallets sign in ways that are not rebuilt here.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange, Keys
from mm.emulator.standx.refusals import BAD, UNAUTHORIZED, UNSIGNED, Refused, invalid
from mm.events.units import MILLIS, SECONDS

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
KEY_BYTES: Final = 32
SKEW_MAX: Final = 60 * SECONDS
"""How old a signature's time may be; the venue documents none."""
FOREVER: Final = 4_102_444_800
WEEK: Final = 604_800
MESSAGE: Final = "standx.com wants you to sign in with your account"


def base58(data: bytes) -> str:
    """Bytes as text; leading zeros count."""
    number, text = int.from_bytes(data), ""
    while number:
        number, rest = divmod(number, 58)
        text = ALPHABET[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def unbase58(text: str) -> bytes | None:
    """The bytes of a text; None for one that is not in base 58."""
    number = 0
    for char in text:
        place = ALPHABET.find(char)
        if place < 0:
            return None
        number = number * 58 + place
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)


def token(claims: Mapping[str, Any], secret: str) -> str:
    """A web token that holds these claims."""
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps(dict(claims))]
    said = ".".join(_encoded(each.encode()) for each in parts)
    return f"{said}.{_encoded(hmac.new(secret.encode(), said.encode(), 'sha256').digest())}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def credentials(keys: Keys) -> Keys:
    """A pair of keys in the form that the venue gives them: a token and a key in base 58."""
    seed = unbase58(keys.secret) or b""
    if len(seed) != KEY_BYTES:
        seed = hashlib.sha256(keys.secret.encode()).digest()
    claims = {"address": keys.key, "exp": FOREVER}
    return Keys(token(claims, base58(seed)), base58(seed))


class Signer(NamedTuple):
    """Whose requests a token makes, and the key that signs their bodies."""

    account: Account
    key: Ed25519PublicKey


class Doorman:
    """Knows tokens; changes in place."""

    def __init__(self, exchange: Exchange) -> None:
        """Know the accounts of an exchange."""
        self._exchange = exchange
        self._logins: dict[str, Signer] = {}
        self._offers: dict[str, str] = {}

    def owner(self, shown: str) -> Signer:
        """Whose token it is; raises `Refused`."""
        found = self._logins.get(shown)
        if found is not None:
            return found
        account = self._exchange.accounts.get(shown)
        if account is None:
            raise Refused(UNAUTHORIZED, "invalid token")
        seed = unbase58(account.keys.secret) or b""
        return Signer(account, Ed25519PrivateKey.from_private_bytes(seed).public_key())

    def bearer(self, headers: Mapping[str, str]) -> Signer:
        """Whose request it is; raises `Refused`."""
        scheme, _, shown = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Refused(UNAUTHORIZED, "missing token")
        return self.owner(shown)

    def check(self, signer: Signer, headers: Mapping[str, str], body: str) -> None:
        """Raise `Refused` unless the body was signed, and lately."""
        version = headers.get("x-request-sign-version", "v1")
        stamp, name = headers.get("x-request-timestamp", ""), headers.get("x-request-id", "")
        if version != "v1" or not name or not (stamp.isascii() and stamp.isdecimal()):
            raise Refused(BAD, UNSIGNED)
        if abs(int(stamp) * MILLIS - self._exchange.now()) > SKEW_MAX:
            raise Refused(BAD, "invalid request timestamp")
        try:
            signature = base64.b64decode(headers.get("x-request-signature", ""), validate=True)
            signer.key.verify(signature, f"{version},{name},{stamp},{body}".encode())
        except (InvalidSignature, binascii.Error) as error:
            raise Refused(BAD, UNSIGNED) from error

    def offer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What a wallet is to sign, for a client that brings this key."""
        address, name = asked.get("address"), asked.get("requestId")
        if not isinstance(address, str) or not address:
            raise invalid("address")
        if not isinstance(name, str) or len(unbase58(name) or b"") != KEY_BYTES:
            raise invalid("requestId")
        claims = {
            "address": address,
            "requestId": name,
            "message": f"{MESSAGE} {address}",
            "exp": self._exchange.now() // SECONDS + WEEK,
        }
        signed = token(claims, name)
        self._offers[signed] = name
        return {"success": True, "signedData": signed}

    def login(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A token for a client whose wallet has signed."""
        signed, signature = asked.get("signedData"), asked.get("signature")
        name = self._offers.pop(signed, None) if isinstance(signed, str) else None
        if name is None:
            raise invalid("signedData")
        if not isinstance(signature, str) or not signature:
            raise invalid("signature")
        account = next(iter(self._exchange.accounts.values()))
        key = Ed25519PublicKey.from_public_bytes(unbase58(name) or b"")
        made = token({"key": name, "at": self._exchange.now()}, signature)
        self._logins[made] = Signer(account, key)
        return {"token": made, "address": name, "alias": "", "chain": "bsc", "perpsAlpha": True}
