"""Our order ids as venues take them: in their alphabet and length, and back again.

An id names the place in the log that made the order, so nothing has to be remembered to know an
order of ours again. Where a venue's ids are long enough they are sent as they stand. Elsewhere
they are packed into eighteen lower-case letters and digits: time, turn, place, and a tag of the
strategy and wallet, which are known from the configuration.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from mm.errors import ConfigError
from mm.events.units import OrderId

PORTABLE_MAX: Final = 18
"""The length that every venue takes as text."""
DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
EPOCH_MILLIS: Final = 1_700_000_000_000
MILLIS_BITS: Final = 40
TURN_BITS: Final = 36
PLACE_BITS: Final = 6
TAG_BITS: Final = 11
UINT32_MAX: Final = 2**32 - 1
OURS: Final = re.compile(r"(?P<owner>.+_.+)_(?P<millis>\d+)_(?P<turn>[0-9a-f]+)(?P<place>..)")


class Parts(NamedTuple):
    """What an order id says: `{strategy}_{wallet}`, time, turn, place in the turn."""

    owner: str
    millis: int
    turn: int
    place: int


def parts_of(order_id: str) -> Parts | None:
    """The parts of an id of ours; None for any other text."""
    found = OURS.fullmatch(order_id)
    if found is None:
        return None
    try:
        place = int(found["place"], 16)
    except ValueError:
        return None
    parts = Parts(found["owner"], int(found["millis"]), int(found["turn"], 16), place)
    return parts if joined(parts) == order_id else None


def joined(parts: Parts) -> OrderId:
    """The id that has these parts."""
    return OrderId(f"{parts.owner}_{parts.millis}_{parts.turn:x}{parts.place:02x}")


def tag_of(owner: str) -> int:
    """A small number for a strategy and wallet, the same on every machine."""
    digest = hashlib.sha256(owner.encode()).digest()
    return int.from_bytes(digest[:4], "big") >> (32 - TAG_BITS)


class PortableIds:
    """Eighteen lower-case letters and digits: what Kraken, OKX, Gate and MEXC take as well."""

    def __init__(self, owners: Iterable[str]) -> None:
        """Know these strategies with their wallets; raises `ConfigError` when two look alike."""
        self._owners: dict[int, str] = {}
        for owner in owners:
            other = self._owners.setdefault(tag_of(owner), owner)
            if other != owner:
                raise ConfigError(
                    f"{owner} and {other} have the same tag in this venue's order ids",
                    where="strategies",
                    remedy="give one of the two another name, or another wallet",
                )

    def encode(self, order_id: OrderId) -> str:
        """As the venue takes it; raises `ConfigError` for an id that cannot be told."""
        parts = parts_of(order_id)
        if parts is None or self._owners.get(tag_of(parts.owner)) != parts.owner:
            raise untold(order_id)
        fields = (
            (parts.millis - EPOCH_MILLIS, MILLIS_BITS),
            (parts.turn, TURN_BITS),
            (parts.place, PLACE_BITS),
            (tag_of(parts.owner), TAG_BITS),
        )
        number = 0
        for value, bits in fields:
            if not 0 <= value < 1 << bits:
                raise untold(order_id)
            number = number << bits | value
        return _in_digits(number)

    def decode(self, client_id: str) -> OrderId | None:
        """Ours again; None for an id that is not of our making."""
        if len(client_id) != PORTABLE_MAX or set(client_id) - set(DIGITS):
            return None
        number = int(client_id, 36)
        values = []
        for bits in (TAG_BITS, PLACE_BITS, TURN_BITS, MILLIS_BITS):
            values.append(number & (1 << bits) - 1)
            number >>= bits
        tag, place, turn, millis = values
        owner = self._owners.get(tag)
        if number or owner is None:
            return None
        return joined(Parts(owner, millis + EPOCH_MILLIS, turn, place))


class TextIds:
    """Ids as they stand where the venue's length and alphabet allow, else portable ones."""

    def __init__(self, owners: Iterable[str], *, length: int, alphabet: str) -> None:
        """`alphabet` is a character class: what may stand between its brackets."""
        assert length >= PORTABLE_MAX, "shorter than a portable id"
        self._portable = PortableIds(owners)
        self._plain = re.compile(f"[{alphabet}]{{1,{length}}}")

    def encode(self, order_id: OrderId) -> str:
        """As the venue takes it; raises `ConfigError` for an id that cannot be told."""
        if parts_of(order_id) is not None and self._plain.fullmatch(order_id):
            return order_id
        return self._portable.encode(order_id)

    def decode(self, client_id: str) -> OrderId | None:
        """Ours again; None for an id that is not of our making."""
        if parts_of(client_id) is not None:
            return OrderId(client_id)
        return self._portable.decode(client_id)


class NumberIds:
    """Unsigned 32-bit numbers: too short to hold an id, so those in use are remembered.

    The number is a function of the id, so a new process that encodes its live orders knows them.
    """

    def __init__(self) -> None:
        """Start without orders."""
        self._known: dict[str, OrderId] = {}

    def encode(self, order_id: OrderId) -> str:
        """As the venue takes it; raises `ConfigError` where another order has the number."""
        number = str(zlib.crc32(order_id.encode()))
        if self._known.setdefault(number, order_id) != order_id:
            raise untold(order_id)
        return number

    def decode(self, client_id: str) -> OrderId | None:
        """Ours again, once it was encoded here; None for any other."""
        return self._known.get(client_id)

    def forget(self, order_id: OrderId) -> None:
        """Its number is free for another order."""
        self._known.pop(str(zlib.crc32(order_id.encode())), None)


def untold(order_id: str) -> ConfigError:
    """That an id cannot be told to a venue."""
    return ConfigError(
        f"the order id {order_id} cannot be written in this venue's ids",
        where="strategies",
        remedy="shorten the strategy's name; ids are `strategy_wallet_milliseconds_turn`",
    )


def _in_digits(number: int) -> str:
    text = ""
    for _ in range(PORTABLE_MAX):
        number, rest = divmod(number, 36)
        text = DIGITS[rest] + text
    assert not number, "an id is longer than eighteen digits"
    return text
