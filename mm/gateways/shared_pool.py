"""A rate limit shared by all processes on a key: what was dealt of each slot stands in NATS KV.

A process leases slices of a slot, and one of the next slot ahead of need, by compare and set; what
it leased it may spend without asking. The reserve for cancels is divided into seats beforehand:
who sits on one needs no lease for a cancel, for a day after the store was last reached. A store
that does not answer deals nothing, so that the limit holds whatever happens.
"""

import asyncio
import hashlib
import time
from contextlib import suppress
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from mm.errors import ConfigError, LogUnavailable
from mm.events.units import SECONDS, Nanos
from mm.gateways.limiter import SLICES, SLOTS
from mm.gateways.order_port import Rate

BUCKET: Final = "mm_rates"
BUCKET_BYTES_MAX: Final = 4 << 20
DAY_SECONDS: Final = 86_400.0
SEATED_SECONDS_MAX: Final = 82_800.0
"""A seat that was not renewed for so long is given up, an hour before another may have it."""
RENEW_SECONDS: Final = 600.0
ANSWER_SECONDS_MAX: Final = 0.25
AWAY_SECONDS: Final = 1.0
"""How long a store that did not answer is not asked."""
TRIES_MAX: Final = 20


class SharedPool:
    """What is left of each slot, for all processes on one key."""

    def __init__(self, store: KeyValue, account: str, rates: tuple[Rate, ...], seat: int) -> None:
        """Lease from a store; see `joined`."""
        self._store = store
        self._account = account
        self._rates = rates
        self._seat = seat
        self._stock: dict[tuple[str, int], int] = {}
        self._most: dict[str, int] = {}
        self._away_until = 0.0
        self._renewed = time.monotonic()

    async def lease(self, rate: Rate, slot: int, want: int, most: int) -> int:
        """Up to `want` of a slot of which `most` may be dealt out; 0 when nothing is left."""
        self._most[rate.name] = most
        stock = self._stock.pop((rate.name, slot), 0)
        if stock >= want:
            self._stock[rate.name, slot] = stock - want
            return want
        return stock + await self._dealt(rate, slot, want - stock, most)

    @property
    def seated(self) -> bool:
        """Whether the reserve for cancels is still ours."""
        return time.monotonic() - self._renewed < SEATED_SECONDS_MAX

    async def keep(self) -> None:
        """Lease ahead and hold the seat, for ever."""
        renew = time.monotonic() + RENEW_SECONDS
        while True:
            await self._lease_ahead()
            if time.monotonic() >= renew:
                with suppress(NatsError, TimeoutError, OSError):
                    await self._put(f"{self._account}.seat.{self._seat}")
                    self._renewed = time.monotonic()
                renew = time.monotonic() + RENEW_SECONDS
            await asyncio.sleep(min(rate.span for rate in self._rates) / SLOTS / 2 / SECONDS)

    async def _lease_ahead(self) -> None:
        """A slice of the next slot of each limit that was used before."""
        now = Nanos(time.time_ns())
        for rate in self._rates:
            most = self._most.get(rate.name, 0)
            slot = now // (rate.span // SLOTS) + 1
            if most and (rate.name, slot) not in self._stock:
                granted = await self._dealt(rate, slot, max(1, most // SLICES), most)
                self._stock[rate.name, slot] = self._stock.get((rate.name, slot), 0) + granted
        for name, slot in list(self._stock):
            span = next(rate.span for rate in self._rates if rate.name == name)
            if slot < now // (span // SLOTS):
                del self._stock[name, slot]

    async def _dealt(self, rate: Rate, slot: int, want: int, most: int) -> int:
        """Have the store deal; nothing while it is away."""
        if time.monotonic() < self._away_until:
            return 0
        key = f"{self._account}.{rate.name}.{slot}"
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._deal(key, want, most)
        except (NatsError, TimeoutError, OSError):
            self._away_until = time.monotonic() + AWAY_SECONDS
            return 0

    async def _deal(self, key: str, want: int, most: int) -> int:
        for _ in range(TRIES_MAX):
            try:
                entry = await self._store.get(key)
                dealt, revision = int(entry.value or b"0"), entry.revision
            except KeyNotFoundError:
                dealt, revision = 0, None
            granted = min(want, most - dealt)
            if granted <= 0:
                return 0
            value = str(dealt + granted).encode()
            try:
                if revision is None:
                    await self._store.create(key, value)
                else:
                    await self._store.update(key, value, last=revision)
            except KeyWrongLastSequenceError:
                continue  # Another process was faster.
            return granted
        return 0

    async def _put(self, key: str) -> None:
        entry = await self._store.get(key)
        await self._store.update(key, entry.value or b"", last=entry.revision)


def account_of(venue: str, key: str) -> str:
    """A name for an account that tells nobody its key."""
    return hashlib.sha256(f"{venue} {key}".encode()).hexdigest()[:24]


async def joined(
    client: Client, account: str, owner: str, rates: tuple[Rate, ...], seats: int
) -> SharedPool:
    """Take a seat among those who share a key; the same owner takes the same one again.

    Raises `ConfigError` when all are taken, `LogUnavailable` when the store does not answer.
    """
    try:
        store = await client.jetstream().create_key_value(
            KeyValueConfig(
                bucket=BUCKET,
                history=1,
                ttl=DAY_SECONDS,
                max_bytes=BUCKET_BYTES_MAX,
                storage=StorageType.MEMORY,
            )
        )
        for seat in range(seats):
            if await _sits(store, f"{account}.seat.{seat}", owner):
                return SharedPool(store, account, rates, seat)
    except (NatsError, TimeoutError, OSError) as error:
        raise LogUnavailable(
            f"the rate limits cannot be shared: {type(error).__name__}",
            where=f"NATS KV {BUCKET}",
            remedy="check the server at NATS_URL, and that it has memory for the bucket",
        ) from error
    raise ConfigError(
        f"{seats} desks share this key already",
        where="venue.processes_max",
        remedy="raise it on every desk that uses the key, or use another key",
    )


async def _sits(store: KeyValue, key: str, owner: str) -> bool:
    """Whether the seat is the owner's: taken now, or before."""
    try:
        await store.create(key, owner.encode())
    except KeyWrongLastSequenceError:
        entry = await store.get(key)
        return (entry.value or b"") == owner.encode()
    return True
