"""What follows a head, and what is said of a turn that does not."""

import pytest
from msgspec.structs import replace

from mm.errors import ChainBroken, SequenceHole
from mm.events.codec import encode
from mm.log.chain import START, Sealed, advance, follow, unseal
from tests.log.turns import market, orders

HEAD = advance(START, orders(START))


@pytest.mark.parametrize("sealed", [market(HEAD), orders(HEAD)], ids=["market", "orders"])
def test_the_next_turn_follows(sealed: Sealed) -> None:
    """Whether it touches orders or not."""
    assert follow(HEAD, sealed, where="here") == advance(HEAD, sealed)


def test_a_turn_says_itself_whether_it_touches_orders() -> None:
    """One that does and names none before it is filed where its orders would not be found."""
    hidden = replace(orders(HEAD).turn, previous_orders=b"")
    shown = replace(market(HEAD).turn, previous_orders=HEAD.orders_hash)
    for turn in (hidden, shown):
        with pytest.raises(ChainBroken, match=r"turn 2 is filed under the wrong subject.*here"):
            follow(HEAD, unseal(encode(turn)), where="here")


def test_a_turn_after_the_next_leaves_a_hole() -> None:
    """What is missing is named."""
    later = market(advance(HEAD, market(HEAD)))
    with pytest.raises(SequenceHole, match="turn 2 is missing"):
        follow(HEAD, later, where="here")
