"""Login by a NATS credentials file: a token that says who we are, and a seed that proves it.

The server sends a nonce and we sign it, so that the seed never leaves this process. It is read
anew at each login and kept nowhere; a file that was replaced is used at the next reconnect.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Final

from mm.errors import ConfigError

TOKEN: Final = re.compile(r"-+BEGIN NATS USER JWT-+\s+(\S+)")
SEED: Final = re.compile(r"-+BEGIN USER NKEY SEED-+\s+(\S+)")
SEED_BYTES: Final = 36  # Two of prefix, the key, two of checksum.
KEY: Final = slice(2, 34)


class CredentialsFile:
    """One credentials file; unreadable or malformed ones are refused when it is first named."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.token()
        self._seed()

    def token(self) -> bytes:
        """Read the token, which is not secret."""
        return self._part(TOKEN, "token").encode()

    def sign(self, nonce: str) -> bytes:
        """Sign the server's nonce, in the base 64 it expects."""
        # Only this way of logging in pays for the import.
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

        key = ed25519.Ed25519PrivateKey.from_private_bytes(self._seed())
        return base64.b64encode(key.sign(nonce.encode()))

    def _seed(self) -> bytes:
        text = self._part(SEED, "seed")
        try:
            raw = base64.b32decode(text + "=" * (-len(text) % 8))
        except binascii.Error:
            raw = b""
        if len(raw) != SEED_BYTES or binascii.crc_hqx(raw[:-2], 0) != int.from_bytes(
            raw[-2:], "little"
        ):
            raise self._wrong("its seed is damaged")
        return raw[KEY]

    def _part(self, pattern: re.Pattern[str], name: str) -> str:
        try:
            found = pattern.search(Path(self._path).read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError) as error:
            raise self._wrong(f"it cannot be read: {type(error).__name__}") from None
        if found is None:
            raise self._wrong(f"it has no {name}")
        return found[1]

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(
            f"the credentials file cannot be used: {what}",
            where=self._path,
            remedy="fetch it again, for example with `nsc generate creds`",
        )
