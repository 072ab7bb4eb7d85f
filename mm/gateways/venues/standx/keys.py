"""The key that signs bodies at StandX: Ed25519, in base 58; it prints as stars."""

import base64
import secrets
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mm.errors import ConfigError

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SEED_BYTES: Final = 32
LENGTHS: Final = (SEED_BYTES, 2 * SEED_BYTES)
"""A seed alone, or a seed with the public key behind it, as some wallets keep it."""
VERSION: Final = "v1"


def to_base58(data: bytes) -> str:
    """Bytes as text; each zero in front is a `1`."""
    digits, number = [], int.from_bytes(data)
    while number:
        number, rest = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[rest])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return ALPHABET[0] * zeros + "".join(reversed(digits))


def from_base58(text: str) -> bytes:
    """The bytes of a text; raises `ValueError`, which does not show the text."""
    number = 0
    for char in text:
        if char not in ALPHABET:
            raise ValueError("not in base 58")
        number = number * len(ALPHABET) + ALPHABET.index(char)
    zeros = len(text) - len(text.lstrip(ALPHABET[0]))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)


class SigningKey:
    """Signs; prints as stars."""

    __slots__ = ("_key", "_seed")

    def __init__(self, seed: bytes) -> None:
        """Keep a seed of 32 bytes."""
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @classmethod
    def new(cls) -> "SigningKey":
        """A key that nobody had before."""
        return cls(secrets.token_bytes(SEED_BYTES))

    @classmethod
    def read(cls, text: str, where: str) -> "SigningKey":
        """A key in base 58; raises `ConfigError`, which does not show it."""
        try:
            data = from_base58(text)
        except ValueError:
            data = b""
        if len(data) not in LENGTHS:
            raise ConfigError(
                "the signing key is no Ed25519 key in base 58",
                where=where,
                remedy="copy it as the venue's session page shows it: 43 or 44 letters and digits",
            )
        return cls(data[:SEED_BYTES])

    def __repr__(self) -> str:
        """Nothing that helps anybody."""
        return "SigningKey(***)"

    def __reduce__(self) -> tuple[object, ...]:
        """Never leave the process."""
        raise TypeError("keys are not written anywhere")

    @property
    def public(self) -> str:
        """Who signs, in base 58: what a login is asked for with."""
        return to_base58(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def text(self) -> str:
        """The secret itself, to be kept where credentials are."""
        return to_base58(self._seed)

    def headers(self, request_id: str, millis: int, body: str) -> dict[str, str]:
        """What a signed body is sent with."""
        said = f"{VERSION},{request_id},{millis},{body}".encode()
        return {
            "x-request-sign-version": VERSION,
            "x-request-id": request_id,
            "x-request-timestamp": str(millis),
            "x-request-signature": base64.b64encode(self._key.sign(said)).decode(),
        }
