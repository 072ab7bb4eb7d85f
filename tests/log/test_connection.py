"""A connection is made to a server that can hold the log, and to no other; secrets stay secret."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import socket
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.errors import OutboundBufferLimitError
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from mm.errors import (
    ConfigError,
    JetStreamDisabled,
    LoginRefused,
    LogUnavailable,
    MmError,
    ServerMissing,
    ServerTooOld,
    StreamMismatch,
)
from mm.log.access import Access, from_environment
from mm.log.connection import LinkChange, LinkOptions, close, connect
from mm.log.nkey import CredentialsFile
from mm.log.server import EmbeddedServer
from tests.log.credentials import OPENSSL, Identity, authority, credentials, operator
from tests.log.foreign import jetstream, nats_server, speaking

SECRET = "hunter2-do-not-show"
INFO: dict[str, Any] = {
    "server_id": "x", "version": "2.15.1", "max_payload": 1 << 20, "headers": True,
    "auth_required": True,
}  # fmt: skip

needs_openssl = pytest.mark.skipif(
    not Path(OPENSSL).exists(), reason=f"{OPENSSL} is absent: no throw-away certificates"
)


def local(port: int, **credentials: str) -> Access:
    """Name a server on loopback."""
    return Access(urls=(f"nats://127.0.0.1:{port}",), **credentials)


async def refused(access: Access, kind: type[MmError], match: str, **limits: Any) -> MmError:
    """Expect an error, and that no form of it tells the secret."""
    with pytest.raises(kind, match=match) as caught:
        await connect(access, LinkOptions(**limits))
    console = Console(file=io.StringIO(), width=200)
    trace = Traceback.from_exception(caught.type, caught.value, caught.tb, show_locals=True)
    console.print(trace)
    assert isinstance(console.file, io.StringIO)
    told = [str(caught.value), *traceback.format_exception(caught.value), console.file.getvalue()]
    assert SECRET not in "".join(told)
    return caught.value


def test_no_url_means_embedded() -> None:
    """Without NATS_URL there is no external server, whatever else is set."""
    assert from_environment({"NATS_USER": "u", "NATS_PASSWORD": "p"}) is None
    assert from_environment({"NATS_URL": " "}) is None


def test_environment_is_read() -> None:
    """Addresses get their default port, and credentials come from their variables."""
    access = from_environment(
        {"NATS_URL": "nats://a, tls://b:4333,c:1", "NATS_USER": "u", "NATS_PASSWORD": SECRET}
    )
    assert access is not None
    assert access.urls == ("nats://a:4222", "tls://b:4333", "nats://c:1")
    assert (access.user, access.password) == ("u", SECRET)
    assert access.encrypted


def test_login_in_url_is_taken_out() -> None:
    """A login inside the URL works, percent signs and all, and does not stay in the address."""
    access = from_environment({"NATS_URL": "nats://u:p%40ss@[::1]:4333"})
    assert access == Access(urls=("nats://[::1]:4333",), user="u", password="p@ss")
    access = from_environment({"NATS_URL": f"nats://{SECRET}@a"})
    assert access == Access(urls=("nats://a:4222",), token=SECRET)


@pytest.mark.parametrize(
    "environment",
    [
        {"NATS_URL": f"http://u:{SECRET}@a"},
        {"NATS_URL": f"nats://u:{SECRET}@a:port"},
        {"NATS_URL": f"nats://u:{SECRET}@a:99999"},
        {"NATS_URL": f"nats://u:{SECRET}@"},
        {"NATS_URL": f"nats://u:{SECRET}@[a"},
        {"NATS_URL": ","},
        {"NATS_URL": "a", "NATS_USER": "u"},
        {"NATS_URL": "a", "NATS_PASSWORD": SECRET},
        {"NATS_URL": f"nats://u:{SECRET}@a", "NATS_TOKEN": SECRET},
        {"NATS_URL": "a", "NATS_CREDS": "/nothing/there"},
        {"NATS_URL": "a", "NATS_TLS_CA": "/nothing/there"},
        {"NATS_URL": "a", "NATS_TLS_CERT": __file__},
    ],
)
def test_bad_environment(environment: dict[str, str]) -> None:
    """What cannot work is refused at once, without telling the secret."""
    with pytest.raises(ConfigError) as caught:
        from_environment(environment)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_secrets_are_not_shown() -> None:
    """No way of printing an access shows what opens the server."""
    for field in ("password", "token"):
        access = Access(urls=("nats://a:4222",), **{field: SECRET})
        shown = f"{access} {access!r} {[access]} {access.method} {pretty_repr(access)}"
        assert SECRET not in shown
        assert field in shown


def test_bad_tls_files() -> None:
    """A file that is no certificate is named."""
    with pytest.raises(ConfigError, match="TLS files cannot be used"):
        Access(urls=("tls://a:1",), tls_ca=__file__).ssl_context()


async def test_embedded_needs_its_password(tmp_path: Path) -> None:
    """Others on this machine are turned away from our server at once."""
    async with EmbeddedServer(tmp_path / "store") as server:
        port = int(server.url.rpartition(":")[2])
        started = time.monotonic()
        wait = {"connect_seconds_max": 60.0}
        await refused(local(port), LoginRefused, "no credentials", **wait)
        await refused(local(port, user="mm", password=SECRET), LoginRefused, "password", **wait)
        await refused(local(port, token=SECRET), LoginRefused, "token", **wait)
        assert time.monotonic() - started < 30.0


async def test_nothing_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The client library's own log stays empty of secrets too."""
    with caplog.at_level(logging.DEBUG):
        async with EmbeddedServer(tmp_path / "store") as server:
            port = int(server.url.rpartition(":")[2])
            await refused(local(port, user="mm", password=SECRET), LoginRefused, "password")
            await close(await connect(server.access))
    assert SECRET not in caplog.text
    assert server.access.password not in caplog.text


async def test_no_server() -> None:
    """Nobody listening is told after the time allowed, not after for ever."""
    started = time.monotonic()
    await refused(local(1), ServerMissing, "no NATS server answers", connect_seconds_max=0.5)
    assert time.monotonic() - started < 20.0


async def test_silent_server() -> None:
    """Something that listens and says nothing is no NATS server."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        await refused(local(port), ServerMissing, "silence", connect_seconds_max=0.3)


async def test_no_jetstream(tmp_path: Path) -> None:
    """A server without JetStream is refused with what to do."""
    with nats_server(tmp_path) as port:
        await refused(local(port), JetStreamDisabled, "Do: enable JetStream")


async def test_jetstream_of_others(tmp_path: Path) -> None:
    """JetStream that is off for our account alone is the same to us."""
    accounts = {"A": {"users": [{"user": "u", "password": SECRET}]}, "B": {"jetstream": "enabled"}}
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), accounts=accounts) as port:
        access = local(port, user="u", password=SECRET)
        await refused(access, JetStreamDisabled, "enable JetStream.*for our account")


async def test_too_old() -> None:
    """A server that greets as 2.9.10 is refused by version."""
    async with speaking({**INFO, "version": "2.9.10"}) as (port, _):
        await refused(local(port), ServerTooOld, r"2\.9\.10 is too old")


async def test_small_payload(tmp_path: Path) -> None:
    """A server whose messages are smaller than a turn is refused before a turn is."""
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), max_payload=65536) as port:
        await refused(local(port), StreamMismatch, "takes 65536 bytes a message")


async def test_token(tmp_path: Path) -> None:
    """A token opens a server that asks for one."""
    config = {"jetstream": jetstream(tmp_path), "authorization": {"token": SECRET}}
    with nats_server(tmp_path, **config) as port:
        await close(await connect(local(port, token=SECRET)))
        await refused(local(port, token="wrong"), LoginRefused, "token")


async def test_credentials_file(tmp_path: Path) -> None:
    """A credentials file of a decentralised set-up opens the server."""
    config = operator(file := tmp_path / "user.creds")
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), **config) as port:
        await close(await connect(local(port, creds_file=str(file))))
        await refused(local(port), LoginRefused, "no credentials")


def damaged(seed: str) -> str:
    """A seed with another letter in its middle: its checksum cannot hold."""
    return seed[:20] + ("A" if seed[20] != "A" else "B") + seed[21:]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no token"),
        (b"-----BEGIN NATS USER JWT-----\ntoken\n", "has no seed"),
        (b"\xff", "cannot be read"),
        (credentials("token", damaged(Identity("U").seed)).encode(), "seed is damaged"),
        (credentials("token", "SU1").encode(), "seed is damaged"),
    ],
)
def test_bad_credentials_file(tmp_path: Path, content: bytes, reason: str) -> None:
    """A damaged credentials file is named, with what is wrong with it."""
    (tmp_path / "user.creds").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{reason}.*user\.creds"):
        CredentialsFile(str(tmp_path / "user.creds"))


async def test_api_is_not_allowed(tmp_path: Path) -> None:
    """A user who may not call JetStream is told so, not left waiting."""
    user = {"user": "u", "password": SECRET, "permissions": {"publish": "elsewhere"}}
    config = {"jetstream": jetstream(tmp_path), "authorization": {"users": [user]}}
    with nats_server(tmp_path, **config) as port:
        access = local(port, user="u", password=SECRET)
        await refused(access, LogUnavailable, "may publish to", connect_seconds_max=0.3)


@needs_openssl
async def test_tls(tmp_path: Path) -> None:
    """With our authority named, password and traffic go through TLS."""
    files = authority(tmp_path / "ca")
    tls = {"cert_file": str(files / "server.pem"), "key_file": str(files / "server.key")}
    login = {"authorization": {"user": "u", "password": SECRET}}
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), tls=tls, **login) as port:
        access = local(port, user="u", password=SECRET, tls_ca=str(files / "ca.pem"))
        await close(await connect(access))
        await refused(local(port, user="u", password=SECRET), LoginRefused, "TLS failed.*verify")


@needs_openssl
async def test_client_certificate(tmp_path: Path) -> None:
    """A server that asks for a certificate takes ours, and nobody without one."""
    files = authority(tmp_path / "ca")
    tls = {
        "cert_file": str(files / "server.pem"), "key_file": str(files / "server.key"),
        "ca_file": str(files / "ca.pem"), "verify": True,
    }  # fmt: skip
    ca = str(files / "ca.pem")
    pair = {"tls_cert": str(files / "client.pem"), "tls_key": str(files / "client.key")}
    with nats_server(tmp_path, jetstream=jetstream(tmp_path), tls=tls) as port:
        await close(await connect(local(port, tls_ca=ca, **pair)))
        with pytest.raises((LoginRefused, ServerMissing)):
            await connect(local(port, tls_ca=ca), LinkOptions(connect_seconds_max=1.0))


async def test_no_secret_without_tls() -> None:
    """When we insist on TLS and the server has none, it never hears the password or token."""
    for field in ("password", "token"):
        async with speaking(INFO) as (port, heard):
            login = {"password": {"user": "u", "password": SECRET}, "token": {"token": SECRET}}
            access = Access(urls=(f"tls://127.0.0.1:{port}",), **login[field])
            await refused(access, LoginRefused, "no credentials were sent")
            assert SECRET.encode() not in heard


async def test_changes_are_told(tmp_path: Path) -> None:
    """Who holds the connection hears when it is lost, back, and closed for good."""
    changes: asyncio.Queue[LinkChange] = asyncio.Queue()
    async with EmbeddedServer(tmp_path / "store") as server:
        nc = await connect(
            server.access,
            LinkOptions(reconnect_seconds=0.02),
            lambda change, _: None if change is LinkChange.FAULT else changes.put_nowait(change),
        )
        os.kill(server.pid, signal.SIGKILL)
        assert await asyncio.wait_for(changes.get(), 5) is LinkChange.LOST
        await server.restart()
        assert await asyncio.wait_for(changes.get(), 5) is LinkChange.BACK
        await close(nc)
        assert LinkChange.CLOSED in [await changes.get() for _ in range(changes.qsize())]


async def test_buffer_is_bounded(tmp_path: Path) -> None:
    """While the server is away, what we may hold back has a limit, and passing it is an error."""
    lost = asyncio.Event()
    async with EmbeddedServer(tmp_path / "store") as server:
        nc = await connect(
            server.access, LinkOptions(pending_bytes_max=100_000), lambda *_: lost.set()
        )
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.wait_for(lost.wait(), 5)
        for _ in range(95):
            await nc.publish("s", b"x" * 1000)
        with pytest.raises(OutboundBufferLimitError):
            await nc.publish("s", b"x" * 10_000)
        assert nc.pending_data_size < 110_000
        await close(nc)


def test_limits_are_strict() -> None:
    """A misspelt limit in a config is refused."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"pending_max": 1}, LinkOptions)
