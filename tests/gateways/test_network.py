"""The session for venues: its hosts and no others, encrypted, and wherever it is sent."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import ccxt.async_support as ccxt
import pytest
from aiohttp import web

from mm.errors import ConfigError
from mm.gateways.network import AllowedHosts, NetworkSettings, open_network, settings_from
from tests.gateways.local_venue import serving

HOST = "api.binance.com"
OTHER = "fapi.binance.com"


async def hello(request: web.Request) -> web.Response:
    """Say which host was asked for."""
    return web.json_response({"host": request.host, "serverTime": 1_700_000_000_123})


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Say back what is said."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


async def astray(_request: web.Request) -> web.Response:
    """Send the client elsewhere."""
    raise web.HTTPFound("https://192.0.2.1/")


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[NetworkSettings]:
    """A server under both names."""
    app = web.Application()
    app.router.add_get("/ws", echo)
    app.router.add_get("/astray", astray)
    app.router.add_get("/{path:.*}", hello)
    async with serving(app, tmp_path, (HOST, OTHER)) as settings:
        yield settings


async def test_production_urls_reach_the_one_address(there: NetworkSettings) -> None:
    """REST and sockets go to the address given, under the host's own name."""
    async with open_network([HOST], there) as session:
        async with session.get(f"https://{HOST}/api/v3/time") as answer:
            assert (await answer.json())["host"] == HOST
        async with session.ws_connect(f"wss://{HOST}/ws") as socket:
            await socket.send_str("ping")
            assert await socket.receive_str() == "ping"


async def test_ccxt_speaks_through_the_same_session(there: NetworkSettings) -> None:
    """A client of ccxt's takes the session and keeps its production addresses."""
    async with open_network([HOST], there) as session:
        venue = ccxt.binance({"session": session})
        assert await venue.fetch_time() == 1_700_000_000_123
        await venue.close()
        assert not session.closed


@pytest.mark.parametrize(
    "url",
    [
        f"https://{OTHER}/api/v3/time",
        "https://192.0.2.1/",
        "https://127.0.0.1/",
        f"http://{HOST}/api/v3/time",
        f"https://{HOST}/astray",
    ],
)
async def test_nothing_else_is_reached(there: NetworkSettings, url: str) -> None:
    """Another host, digits in place of a host, plain text and a redirect are refused unsent."""
    async with open_network([HOST], there) as session:
        with pytest.raises(OSError, match=r"session may talk to|only https and wss"):
            await session.get(url)


async def test_no_socket_without_encryption(there: NetworkSettings) -> None:
    """A plain socket beyond loopback is refused as well."""
    async with open_network([HOST], there) as session:
        with pytest.raises(OSError, match="only https and wss"):
            await session.ws_connect(f"ws://{HOST}/ws")


async def test_the_resolver_refuses_by_itself() -> None:
    """Whoever resolves without asking the guard is refused too."""
    with pytest.raises(OSError, match="session may talk to"):
        await AllowedHosts([HOST], None).resolve(OTHER, 443)


async def test_a_stranger_is_not_trusted(there: NetworkSettings) -> None:
    """Without its authority named, the server at that address is nobody."""
    async with open_network([HOST], NetworkSettings(resolve=there.resolve)) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"https://{HOST}/")


@pytest.mark.parametrize("resolve", ["localhost:1", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000"])
async def test_a_wrong_address_is_named(resolve: str) -> None:
    """What is no address and port is refused with the variable's name."""
    with pytest.raises(ConfigError, match="MM_RESOLVE"):
        async with open_network([HOST], NetworkSettings(resolve=resolve)):
            pass


async def test_a_missing_authority_is_named(tmp_path: Path) -> None:
    """A file that is not there is refused with the variable's name."""
    with pytest.raises(ConfigError, match="MM_CA_FILE"):
        async with open_network([HOST], NetworkSettings(ca=str(tmp_path / "none.pem"))):
            pass


def test_the_environment_wins() -> None:
    """MM_RESOLVE and MM_CA_FILE override what a config gives."""
    given = NetworkSettings(resolve="127.0.0.1:1", ca="a.pem")
    assert settings_from({}, given) == given
    found = settings_from({"MM_RESOLVE": "127.0.0.1:2", "MM_CA_FILE": "b.pem"}, given)
    assert found == NetworkSettings(resolve="127.0.0.1:2", ca="b.pem")
    assert found.target == ("127.0.0.1", 2)
