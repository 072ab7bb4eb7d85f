"""Sends every host that a client asks for to the emulator, and nothing anywhere else.

Whatever opens connections in this process looks hosts up by `socket.getaddrinfo`; the answer has an
address and a port. So the client keeps the addresses that it has in production.
"""

import json
import os
import socket
from typing import Any

PORT = int(os.environ["EMULATOR_PORT"])
HOSTS = frozenset(os.environ["EMULATOR_HOSTS"].split(","))
connect = socket.socket.connect


def looked_up(host: Any, *_: Any, **__: Any) -> list[Any]:
    """The emulator, for the hosts that it is; nothing else exists."""
    name = host.decode() if isinstance(host, bytes) else host
    if name not in HOSTS | {"127.0.0.1"}:
        raise socket.gaierror(socket.EAI_NONAME, f"{name} is not emulated")
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", PORT))]


def connected(self: socket.socket, address: Any) -> None:
    """Only to the emulator."""
    if self.family != socket.AF_UNIX and address != ("127.0.0.1", PORT):
        raise OSError(f"{address} is not the emulator")
    connect(self, address)


socket.getaddrinfo = looked_up
socket.socket.connect = connected  # type: ignore[method-assign, assignment]


def tell(**what: Any) -> None:
    """One line for the test."""
    print(json.dumps(what), flush=True)  # noqa: T201  It is how a script speaks.
