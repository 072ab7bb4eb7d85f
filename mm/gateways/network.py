"""The one session through which venues are spoken to: REST and sockets, ours and ccxt's.

It reaches the hosts that it was opened for and no other, over HTTPS and WSS only; plain HTTP is for
loopback. `MM_RESOLVE` sends every one of those hosts to one address, an emulator's, and
`MM_CA_FILE` names the only authority that is trusted then: the addresses asked for, and all that a
client decides by them, stay as they are.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from mm.errors import ConfigError

RESOLVE: Final = "MM_RESOLVE"
CA_FILE: Final = "MM_CA_FILE"
SECURE: Final = frozenset({"https", "wss"})
CONNECTIONS_MAX: Final = 200
TOTAL_SECONDS_MAX: Final = 15.0
CONNECT_SECONDS_MAX: Final = 5.0
PORT_MAX: Final = 65_535
UNSENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""The connection never stood, so nothing can have arrived."""
READ_BYTES: Final = 1 << 18
"""The reading buffer of a connection: a burst of frames is taken in one go."""


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where hosts are looked for (`address:port`, or as usual) and whose certificates count."""

    resolve: str = ""
    ca: str = ""

    @property
    def target(self) -> tuple[str, int] | None:
        """The one address that all hosts have; raises `ConfigError`."""
        if not self.resolve:
            return None
        address, _, port = self.resolve.rpartition(":")
        try:
            ip = ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            ip = None
        if ip is None or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
            raise ConfigError(
                f"{self.resolve!r} is no address and port",
                where=f"{RESOLVE} or network.resolve",
                remedy="write it as 127.0.0.1:8443, as `mm emulate` prints it, or leave it out",
            )
        return str(ip), int(port)


DIRECT: Final = NetworkSettings()


def settings_from(
    environment: Mapping[str, str], given: NetworkSettings = DIRECT
) -> NetworkSettings:
    """The settings given, overridden by `MM_RESOLVE` and `MM_CA_FILE` where they are set."""
    return NetworkSettings(
        resolve=environment.get(RESOLVE, "").strip() or given.resolve,
        ca=environment.get(CA_FILE, "").strip() or given.ca,
    )


class AllowedHosts(AbstractResolver):
    """Finds the hosts on its list and refuses all others, so that no request strays."""

    def __init__(self, hosts: Iterable[str], target: tuple[str, int] | None) -> None:
        """Resolve `hosts` as usual, or all of them to `target`."""
        self.hosts = frozenset(host.lower() for host in hosts)
        self._target = target
        self._usual = aiohttp.ThreadedResolver() if target is None else None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host; raises `OSError` for one that is not on the list."""
        self.admit(host)
        if self._usual is not None:
            return await self._usual.resolve(host, port, family)
        assert self._target is not None, "either as usual or to a target"
        address, target_port = self._target
        v6 = ":" in address
        found = ResolveResult(
            hostname=host,
            host=address,
            port=target_port,
            family=socket.AF_INET6 if v6 else socket.AF_INET,
            proto=0,
            flags=socket.AI_NUMERICHOST,
        )
        return [found]

    def admit(self, host: str) -> None:
        """Raise `OSError` for a host that is not on the list."""
        if host.lower() not in self.hosts:
            raise refused(f"{host!r} is none of the hosts that this session may talk to")

    async def close(self) -> None:
        """Nothing is held."""


def refused(what: str) -> aiohttp.ClientOSError:
    """The error of what is not sent: an `OSError`, and one of aiohttp's and ccxt's kind."""
    return aiohttp.ClientOSError(errno.EACCES, what)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def guarding(resolver: AllowedHosts) -> aiohttp.ClientMiddlewareType:
    """Refuses a request (and each redirect) before anything is connected.

    A resolver alone is not asked about addresses in digits, and knows no scheme.
    """

    async def guard(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        check_url(request.url, resolver)
        return await handler(request)

    return guard


def check_url(url: URL, resolver: AllowedHosts) -> None:
    """Raise `OSError` for a host that is not on the list, and for plain text beyond loopback."""
    host = url.host or ""
    resolver.admit(host)
    if url.scheme not in SECURE and not is_loopback(host):
        raise refused(f"{url.scheme} to {host}: only https and wss leave this machine")


def trust(settings: NetworkSettings) -> ssl.SSLContext:
    """Whose certificates count; raises `ConfigError` where the file cannot be read."""
    if not settings.ca:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(Path(settings.ca)))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the authority cannot be read: {error.strerror or error}",
            where=f"{CA_FILE} or network.ca = {settings.ca}",
            remedy="name the PEM file that `mm emulate` prints, or leave it out",
        ) from error


@asynccontextmanager
async def open_network(
    hosts: Iterable[str], settings: NetworkSettings = DIRECT
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session for these hosts; ccxt takes it as `{"session": session}` and leaves it open.

    Raises `ConfigError` where the settings cannot be.
    """
    target, context = settings.target, trust(settings)
    resolver = AllowedHosts(hosts, target)
    connector = aiohttp.TCPConnector(
        resolver=resolver, ssl=context, limit=CONNECTIONS_MAX, use_dns_cache=target is None
    )
    session = aiohttp.ClientSession(
        connector=connector,
        middlewares=(guarding(resolver),),
        timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS_MAX, connect=CONNECT_SECONDS_MAX),
        read_bufsize=READ_BYTES,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    try:
        yield session
    finally:
        await session.close()
        await asyncio.sleep(0)  # TLS transports close in the next round of the loop.
