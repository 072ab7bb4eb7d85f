"""A connection to the server that holds the log, checked before it is trusted.

A server that is too old, has no JetStream or takes smaller messages than a turn is refused by name.
Credentials are handed over at login only, and never in the clear when TLS was asked for, not at a
reconnect either. The client reconnects for ever, with a bounded buffer; who must not act while it
is away listens to `LinkChange`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from mm.errors import (
    JetStreamDisabled,
    LoginRefused,
    LogUnavailable,
    MmError,
    ServerMissing,
    StreamMismatch,
)
from mm.log.nkey import CredentialsFile
from mm.log.program import require_recent

if TYPE_CHECKING:
    from mm.log.access import Access

CLOSE_SECONDS_MAX: Final = 0.5
TURN_MESSAGE_MAX: Final = 516 * 1024  # A turn of 512 KiB, and its headers.


class LinkChange(Enum):
    """What became of the connection."""

    LOST = "lost"
    BACK = "back"
    CLOSED = "closed"
    FAULT = "fault"


OnChange = Callable[[LinkChange, str], None]


class LinkOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of a connection; without `jetstream` any server will do.

    Without `echo` it does not hear what it publishes itself.
    """

    name: str = "mm"
    jetstream: bool = True
    echo: bool = True
    connect_seconds_max: float = 10.0
    reconnect_seconds: float = 0.1
    pending_bytes_max: int = 8 * 1024 * 1024
    payload_min: int = TURN_MESSAGE_MAX
    ping_seconds: float = 5.0
    pings_unanswered_max: int = 2


DEFAULTS: Final = LinkOptions()


class NotEncrypted(NatsError):
    """The server offers no TLS although we insist on it; nats-py takes it for a failed attempt."""


def _ignore(_change: LinkChange, _text: str) -> None:
    """Serve callers that only ask the client itself."""


async def connect(
    access: Access, options: LinkOptions = DEFAULTS, on_change: OnChange = _ignore
) -> Client:
    """Connect, log in, and check that this server can hold the log."""
    nc = Client()
    watcher = _Watcher(access, on_change)
    usable = False
    try:
        await _log_in(nc, access, options, watcher)
        if options.jetstream:
            await require_jetstream(nc, access, options)
        usable = watcher.connected = True
    finally:
        if not usable:
            await close(nc)
    return nc


async def close(nc: Client, seconds_max: float = CLOSE_SECONDS_MAX) -> None:
    """Close for good, within the time allowed: nats-py alone may wait for ever."""
    # It does after a failed TLS handshake; and with the server gone, what it held back is too.
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(seconds_max):
            await nc.close()


async def require_jetstream(nc: Client, access: Access, options: LinkOptions = DEFAULTS) -> None:
    """Refuse a server that cannot hold turns."""
    require_recent(str(nc.connected_server_version).strip("<>").rpartition(" v")[2], str(access))
    if nc.max_payload < options.payload_min:
        raise StreamMismatch(
            f"the server takes {nc.max_payload} bytes a message; turns need {options.payload_min}",
            where=str(access),
            remedy="raise max_payload in the server's config",
        )
    try:
        reply = await nc.request("$JS.API.INFO", b"", timeout=options.connect_seconds_max)
    except NoRespondersError:
        raise _no_jetstream(access) from None
    except (NatsError, OSError) as error:
        raise LogUnavailable(
            f"JetStream does not answer: {_text(error)}",
            where=str(access),
            remedy="check the server, and that our user may publish to $JS.API.>",
        ) from error
    refusal = msgspec.json.decode(reply.data).get("error")
    if refusal:
        raise _no_jetstream(access, refusal.get("description", ""))


def _no_jetstream(access: Access, reason: str = "") -> JetStreamDisabled:
    return JetStreamDisabled(
        f"the server has no JetStream for us{': ' if reason else ''}{reason}",
        where=str(access),
        remedy="enable JetStream in the server's config, and for our account",
    )


async def _log_in(nc: Client, access: Access, options: LinkOptions, watcher: _Watcher) -> None:
    settings = _settings(nc, access, options)
    try:
        async with asyncio.timeout(options.connect_seconds_max):
            await nc.connect(
                servers=list(access.urls),
                error_cb=watcher.error,
                disconnected_cb=watcher.lost,
                reconnected_cb=watcher.back,
                closed_cb=watcher.closed,
                **settings,
            )
    except TimeoutError:
        raise ServerMissing(
            f"no NATS server answers: {watcher.last or 'silence'}",
            where=str(access),
            remedy="check NATS_URL, the network and the server",
        ) from None


def _settings(nc: Client, access: Access, options: LinkOptions) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "name": options.name,
        "allow_reconnect": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": options.reconnect_seconds,
        "connect_timeout": options.connect_seconds_max,
        "ping_interval": options.ping_seconds,
        "max_outstanding_pings": options.pings_unanswered_max,
        "pending_size": options.pending_bytes_max,
        "no_echo": not options.echo,
    }
    if access.encrypted:
        settings["tls"] = access.ssl_context()
    if access.creds_file:
        file = CredentialsFile(access.creds_file)
        settings["user_jwt_cb"], settings["signature_cb"] = file.token, file.sign
    for field in ("user", "password", "token"):
        if getattr(access, field):
            settings[field] = _hand_over(nc, access, field)
    return settings


def _hand_over(nc: Client, access: Access, field: str) -> Callable[[], str]:
    """Give a secret away at login only, and after TLS is up: nats-py goes on in the clear."""

    def secret() -> str:
        told = nc._server_info  # noqa: SLF001  The only place that tells whether TLS is up.
        if access.encrypted and not told.get("tls_required"):
            raise NotEncrypted("the server offers no TLS")
        return str(getattr(access, field))

    return secret


class _Watcher:
    """Passes changes on; before the first login it also ends attempts that cannot succeed."""

    def __init__(self, access: Access, on_change: OnChange) -> None:
        self.connected = False
        self.last = ""
        self._access = access
        self._on_change = on_change

    async def error(self, error: Exception) -> None:
        self.last = _text(error)
        if self.connected:
            self._on_change(LinkChange.FAULT, self.last)
        elif (hopeless := _hopeless(error, self._access)) is not None:
            raise hopeless from None  # It says all that nats-py's own error does.

    async def lost(self) -> None:
        self._tell(LinkChange.LOST)

    async def back(self) -> None:
        self._tell(LinkChange.BACK)

    async def closed(self) -> None:
        self._tell(LinkChange.CLOSED)

    def _tell(self, change: LinkChange) -> None:
        if self.connected:
            self._on_change(change, self.last)


def _hopeless(error: Exception, access: Access) -> MmError | None:
    """Name what no further attempt will change."""
    if isinstance(error, ssl.SSLError):
        return LoginRefused(
            f"TLS failed: {_text(error)}",
            where=str(access),
            remedy="check NATS_TLS_CA, NATS_TLS_CERT, NATS_TLS_KEY and the server's certificate",
        )
    if isinstance(error, NotEncrypted):
        return LoginRefused(
            "the server offers no TLS, so no credentials were sent",
            where=str(access),
            remedy="enable TLS on the server, or ask for none (nats://, no NATS_TLS_*)",
        )
    if "Authorization" in _text(error) or "Authentication" in _text(error):
        return LoginRefused(
            f"the server refuses our login ({access.method})",
            where=str(access),
            remedy="check NATS_CREDS, NATS_USER and NATS_PASSWORD, or NATS_TOKEN",
        )
    return None


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
