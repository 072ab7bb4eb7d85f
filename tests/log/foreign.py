"""Servers that are not ours: a nats-server with any config, and one that only speaks its lines."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from mm.log import program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@contextmanager
def nats_server(directory: Path, **config: Any) -> Iterator[int]:
    """Run a nats-server with this config on a free loopback port; yields the port."""
    ports = directory / "foreign_ports"
    ports.mkdir(parents=True)
    file = directory / "foreign.conf"
    config = {"host": "127.0.0.1", "port": -1, "ports_file_dir": str(ports), **config}
    file.write_text(json.dumps(config))
    with (directory / "foreign.err").open("wb") as errors:
        process = subprocess.Popen([program.find(), "-c", str(file)], stderr=errors)
    try:
        yield _port(ports, process, directory / "foreign.err")
    finally:
        process.terminate()
        process.wait(10)


def _port(ports: Path, process: subprocess.Popen[bytes], errors: Path) -> int:
    for _ in range(10_000):
        assert process.poll() is None, errors.read_text()
        text = "".join(file.read_text() for file in ports.iterdir())
        if text.endswith("}"):
            (url,) = json.loads(text)["nats"]
            return int(url.rpartition(":")[2])
        time.sleep(0.001)
    raise AssertionError("the foreign server did not start")


def jetstream(directory: Path) -> dict[str, Any]:
    """The part of a config that switches JetStream on."""
    return {"store_dir": str(directory / "foreign_store")}


@asynccontextmanager
async def speaking(info: dict[str, Any]) -> AsyncIterator[tuple[int, bytearray]]:
    """Greet like a NATS server with this INFO; yields the port and all that clients say."""
    heard = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            heard.extend(line)
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
