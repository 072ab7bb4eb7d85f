"""Throw-away identities for tests: a certificate authority, and a NATS operator with one user."""

from __future__ import annotations

import base64
import binascii
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from pathlib import Path

OPENSSL = "/usr/bin/openssl"
NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
UNLIMITED = {
    "subs": -1, "data": -1, "payload": -1, "conn": -1, "imports": -1, "exports": -1, "leaf": -1,
    "wildcards": True,
}  # fmt: skip
DISK = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}


def authority(directory: Path) -> Path:
    """Make a CA, and certificates signed by it for a server on 127.0.0.1 and for a client."""
    directory.mkdir()
    _openssl(directory, f"req -x509 {NEW_KEY} -days 1 -subj /CN=ca -keyout ca.key -out ca.pem "
             "-addext keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    # Python 3.13 insists on the key usage and the authority's key.
    (directory / "leaf").write_text(
        "subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\nkeyUsage=digitalSignature\n"
    )
    for name in ("server", "client"):
        _openssl(directory, f"req {NEW_KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        _openssl(directory, f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
                 f"-days 1 -extfile leaf -out {name}.pem")  # fmt: skip
    return directory


def _openssl(directory: Path, arguments: str) -> None:
    subprocess.run([OPENSSL, *arguments.split()], cwd=directory, check=True, capture_output=True)


class Identity:
    """A NATS key pair: `kind` is O for an operator, A for an account, U for a user."""

    def __init__(self, kind: str) -> None:
        self._prefix = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".index(kind) << 3
        self._key = Ed25519PrivateKey.generate()
        self.name = _base32(bytes([self._prefix]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        """Write the secret as NATS does."""
        head = bytes([18 << 3 | self._prefix >> 5, (self._prefix & 31) << 3])
        return _base32(head + self._key.private_bytes_raw())

    def token(self, subject: Identity, **claims: Any) -> str:
        """Sign claims about a subject."""
        body = {"jti": "x", "iat": int(time.time()), "iss": self.name, "sub": subject.name,
                "name": "test", "nats": {"version": 2, **claims}}  # fmt: skip
        parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, body]
        text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        return f"{text}.{_base64(self._key.sign(text.encode()))}"


def operator(file: Path) -> dict[str, Any]:
    """Make an operator and a user with JetStream, whose credentials go to the file; the config."""
    boss, system, account, user = map(Identity, "OAAU")
    token = account.token(user, type="user", subs=-1, data=-1, payload=-1)
    file.write_text(credentials(token, user.seed))
    return {
        "operator": boss.token(boss, type="operator"),
        "system_account": system.name,
        "resolver": "MEMORY",
        "resolver_preload": {
            system.name: boss.token(system, type="account", limits=UNLIMITED),
            account.name: boss.token(account, type="account", limits=UNLIMITED | DISK),
        },
    }


def credentials(token: str, seed: str) -> str:
    """Write a credentials file as the NATS tools do."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )


def _base32(raw: bytes) -> str:
    checked = raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(checked).rstrip(b"=").decode()


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
