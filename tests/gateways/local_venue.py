"""A web server on loopback under venues' names: a private authority, TLS, routes of the test's own.

It knows no protocol: what is answered and said stands in the test.
"""

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mm.gateways.network import NetworkSettings

ISSUED = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
EXPIRES = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


class Certificates(NamedTuple):
    """Files of an authority and of the server that it vouches for."""

    authority: Path
    chain: Path
    key: Path


def certificates(folder: Path, hosts: tuple[str, ...]) -> Certificates:
    """An authority that vouches for `hosts`."""
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def made(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(ISSUED)
            .not_valid_after(EXPIRES)
        )

    authority = made(name, root).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    server = made(x509.Name([]), leaf).add_extension(names, critical=True)
    found = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    for path, builder in ((found.authority, authority), (found.chain, server)):
        signed = builder.sign(root, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        leaf.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return found


@asynccontextmanager
async def serving(
    app: web.Application, folder: Path, hosts: tuple[str, ...]
) -> AsyncIterator[NetworkSettings]:
    """Serve `app` under `hosts`; yields what makes a session find it."""
    files = certificates(folder, hosts)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.chain, files.key)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield NetworkSettings(resolve=f"127.0.0.1:{port}", ca=str(files.authority))
    finally:
        await runner.cleanup()
