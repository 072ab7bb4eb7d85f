"""An order id written for a venue and read again is the same id; a stranger's is nobody's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.errors import ConfigError
from mm.events.units import OrderId
from mm.gateways.client_ids import (
    EPOCH_MILLIS,
    NumberIds,
    Parts,
    PortableIds,
    TextIds,
    joined,
    tag_of,
)

OWNERS = ("maker_main", "arb-2_sub_1", "a_b", "späher_main", "very_long_strategy_name_indeed_main")
PARTS = st.builds(
    Parts,
    owner=st.sampled_from(OWNERS),
    millis=st.integers(EPOCH_MILLIS, EPOCH_MILLIS + 2**40 - 1),
    turn=st.integers(1, 2**36 - 1),
    place=st.integers(0, 63),
)
PORTABLE = PortableIds(OWNERS)
BINANCE = TextIds(OWNERS, length=36, alphabet="A-Za-z0-9._:/-")


@given(parts=PARTS)
def test_a_portable_id_is_reversible(parts: Parts) -> None:
    """Eighteen lower-case letters and digits, and back."""
    order_id = joined(parts)
    client_id = PORTABLE.encode(order_id)
    assert re.fullmatch("[0-9a-z]{18}", client_id)
    assert PORTABLE.decode(client_id) == order_id


@given(parts=PARTS)
def test_a_text_id_is_reversible(parts: Parts) -> None:
    """As it stands where it fits, else portable."""
    order_id = joined(parts)
    client_id = BINANCE.encode(order_id)
    assert re.fullmatch("[A-Za-z0-9._:/-]{1,36}", client_id)
    assert BINANCE.decode(client_id) == order_id
    assert (client_id == order_id) == bool(re.fullmatch("[A-Za-z0-9._:/-]{1,36}", order_id))


@given(first=PARTS, second=PARTS)
def test_two_orders_never_share_an_id(first: Parts, second: Parts) -> None:
    """Else the venue would take one for the other."""
    same = first == second
    for ids in (PORTABLE, BINANCE):
        assert (ids.encode(joined(first)) == ids.encode(joined(second))) == same


@given(text=st.text(max_size=40))
def test_a_strangers_id_is_nobodys(text: str) -> None:
    """What decodes is of our making: it encodes to the same text again."""
    found = PORTABLE.decode(text)
    assert found is None or PORTABLE.encode(found) == text


@given(parts=st.lists(PARTS, unique=True, max_size=20))
def test_numbers_are_remembered(parts: list[Parts]) -> None:
    """A 32-bit number stands for its order while that is known, in a new process as well."""
    ids, anew = NumberIds(), NumberIds()
    for order_id in map(joined, parts):
        client_id = ids.encode(order_id)
        assert 0 <= int(client_id) < 2**32
        assert ids.decode(client_id) == order_id
        assert anew.encode(order_id) == client_id
        ids.forget(order_id)
        assert ids.decode(client_id) is None


def test_two_orders_of_one_number_are_refused() -> None:
    """Texts that share a checksum; one is refused before it is sent."""
    ids = NumberIds()
    ids.encode(OrderId("plumless"))
    with pytest.raises(ConfigError, match="cannot be written"):
        ids.encode(OrderId("buckeroo"))


def test_names_that_look_alike_are_refused() -> None:
    """Two owners of one tag cannot be told apart, so one of them needs another name."""
    tags: dict[int, str] = {}
    for number in range(3_000):
        other = tags.setdefault(tag_of(f"s{number}_main"), f"s{number}_main")
        if other != f"s{number}_main":
            break
    with pytest.raises(ConfigError, match="same tag"):
        PortableIds([other, f"s{number}_main"])


def test_a_known_owner_is_needed() -> None:
    """A place in the log that the config's strategies have."""
    known, order_id = PortableIds(["maker_main"]), OrderId("maker_main_1700000000000_100")
    assert known.decode(known.encode(order_id)) == order_id


@pytest.mark.parametrize(
    "order_id", ["free text", "maker_main_12_1g00", "other_main_1700000000000_100"]
)
def test_what_is_no_id_of_ours_is_refused(order_id: str) -> None:
    """Before anything is sent, and saying what to do."""
    with pytest.raises(ConfigError, match="cannot be written"):
        PortableIds(["maker_main"]).encode(OrderId(order_id))
