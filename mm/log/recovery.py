"""What is compared before a log is trusted: chain, copy of the orders' turns, mark, archive."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Final

from mm.errors import TailLost
from mm.events.turn import NO_HASH
from mm.log.pages import api

if TYPE_CHECKING:
    from mm.log.chain import Head
    from mm.log.streams import Streams
    from mm.log.wire import Wire

LAG_SECONDS_MAX: Final = 15.0
POLL_SECONDS: Final = 0.005


async def copied(
    wire: Wire, streams: Streams, head: Head, patience: float = LAG_SECONDS_MAX
) -> int:
    """Wait until the copy of the orders' turns ends like the log itself; its last sequence."""
    if head.orders_hash == NO_HASH:
        return 0
    clock = asyncio.get_running_loop().time
    deadline, wanted = clock() + patience, f"Nats-Msg-Id: {head.orders_hash.hex()}\r\n".encode()
    while True:
        state = (await api(wire, f"STREAM.INFO.{streams.orders.name}", {}))["state"]
        if last := state["last_seq"]:
            found = await api(wire, f"STREAM.MSG.GET.{streams.orders.name}", {"seq": last})
            if wanted in b64decode(found["message"]["hdrs"]):
                return int(last)
        if clock() > deadline:
            raise TailLost(
                f"the copy of the orders' turns ends before turn {head.orders_hash.hex()[:16]}",
                where=streams.orders.name,
                remedy="wait until the server has copied them, then try again",
            )
        await asyncio.sleep(POLL_SECONDS)
