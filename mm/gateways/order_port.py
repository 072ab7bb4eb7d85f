"""What a venue's private side has to offer: commands, questions, and a stream of answers.

An adapter translates and signs; when to send, how often, what a failure means for an order and
what goes on the log is one implementation for all. Every method may raise `VenueSaid`; what it
returns are facts about orders of ours, under our own ids, or evidence from which they are made.
Nothing here retries.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

import msgspec

from mm.events.account import BalanceReported, PositionReported
from mm.events.instrument import InstrumentDefined
from mm.events.orders import AmendOrder, CancelOrder, OrderFilled, PlaceOrder, Resolution
from mm.events.units import SECONDS, InstrumentId, Lots, Nanos, OrderId, Side, Ticks
from mm.events.vocabulary import Fact


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """At most `most` within any time `span`: of weight, or of the commands that it `counts`."""

    name: str
    span: Nanos
    most: int
    counts: tuple[str, ...] = ()


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue can do with orders; all else is made from these.

    `acknowledges` says that a good answer to a place means that the order rests; elsewhere only
    the private stream says so. `id_unique` is for how long a client id is refused once used: 0 is
    "among open orders only". `switch` is a dead man's switch that the venue keeps for us. `settles`
    is how long after it was sent a command may still take effect, or what it did not be readable:
    receive window and read lag. `rates` are the venue's limits.
    """

    amend: bool = False
    batch_places_max: int = 1
    batch_cancels_max: int = 1
    cancel_all: bool = False
    reduce_only: bool = False
    switch: bool = False
    acknowledges: bool = True
    positions: bool = False
    id_unique: Nanos = Nanos(0)
    settles: Nanos = Nanos(7 * SECONDS)
    rates: tuple[Rate, ...] = ()


class Evidence(NamedTuple):
    """What the venue says of one order; `client_id` as the venue has it, ours or not."""

    client_id: str
    venue_order_id: str
    instrument: InstrumentId
    side: Side
    price: Ticks
    size: Lots
    filled: Lots
    resolution: Resolution
    venue_time: Nanos


class Known(NamedTuple):
    """What names an order to a venue: our id, and the venue's where it is known already."""

    order_id: OrderId
    instrument: InstrumentId
    venue_order_id: str = ""
    side: Side | None = None


class StreamUp(NamedTuple):
    """The private stream stands: what happened before must be asked after."""

    received: Nanos


class StreamDown(NamedTuple):
    """The private stream stands no more: what happens now is not heard."""

    received: Nanos
    reason: str


PrivateNews = StreamUp | StreamDown | tuple[Fact, ...]


class ClientIds(Protocol):
    """Our order ids in a venue's alphabet and length, reversibly."""

    def encode(self, order_id: OrderId) -> str:
        """As the venue takes it; raises `ConfigError` for an id that cannot be told."""
        ...

    def decode(self, client_id: str) -> OrderId | None:
        """Ours again; None for an id that is not of our making."""
        ...


class OrderPort(Protocol):
    """One account at one venue."""

    @property
    def venue(self) -> str:
        """As instruments name it."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host it talks to, and no other."""
        ...

    @property
    def abilities(self) -> Abilities:
        """What the venue can do."""
        ...

    @property
    def ids(self) -> ClientIds:
        """How it takes our ids."""
        ...

    def learn(self, instruments: tuple[InstrumentDefined, ...]) -> None:
        """What is traded; before anything else."""
        ...

    def weight(self, command: str) -> int:
        """What a call costs of the venue's budget: `place`, `cancel`, `open_orders`, ..."""
        ...

    async def place(self, order: PlaceOrder) -> tuple[Fact, ...]:
        """Send one order; returns what the answer proves (`OrderAcked`, fills)."""
        ...

    async def amend(self, order: AmendOrder, known: Known) -> tuple[Fact, ...]:
        """Move one; only where `abilities.amend`."""
        ...

    async def cancel(self, order: CancelOrder, known: Known) -> tuple[Fact, ...]:
        """Cancel one; returns what the answer proves, nothing where the stream will say it."""
        ...

    async def cancel_all(self, instrument: InstrumentId) -> tuple[Fact, ...]:
        """Cancel all of the account's orders on an instrument, whoever placed them."""
        ...

    async def order(self, known: Known) -> Evidence | None:
        """What became of one order; None when the venue says that it knows of none."""
        ...

    async def open_orders(self, instrument: InstrumentId) -> list[Evidence]:
        """Every open order on an instrument, others' too."""
        ...

    async def fills(
        self, instrument: InstrumentId, after: str, since: Nanos
    ) -> tuple[list[OrderFilled], str]:
        """Fills after one whose id is `after` (or since a time), oldest first; all pages.

        Returns them with the id from which to go on. One of an order that is not ours has no
        `order_id`.
        """
        ...

    async def account(self) -> tuple[BalanceReported | PositionReported, ...]:
        """All balances that are not zero, and all positions."""
        ...

    async def venue_clock(self) -> Nanos:
        """The venue's own time."""
        ...

    async def permissions(self) -> tuple[str, ...]:
        """What the key may do: `trade`, `withdraw`, ...; nothing where the venue does not tell."""
        ...

    def stream(self) -> AsyncIterator[PrivateNews]:
        """Orders, fills and balances as they happen, for ever; it reconnects by itself."""
        ...
