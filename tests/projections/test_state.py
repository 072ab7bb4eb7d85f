"""All folds together: the same log always gives the same state, however one gets there.

Random lives of orders and markets are folded whole, from a dump in the middle, with things told
again, and in another process under another hash seed.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mm.events.codec import decode_event, encode_event
from mm.events.orders import OrderFilled
from mm.events.turn import Record
from mm.events.units import Lots
from mm.events.vocabulary import Event
from mm.projections.base import digest, pack
from mm.projections.state import State, combined
from tests.build import BTC, BUY, filled, placed
from tests.build import given as folded
from tests.histories import Draw, apply, draws, history, record

TOP: Final = Path(__file__).parents[2]
SEEDED: Final[list[Draw]] = [
    ((7 * n) % 40, n % 3, 1 + n % 6, 95 + (5 * n) % 11) for n in range(400)
]


def records(events: list[Event]) -> list[Record]:
    """The events with their places."""
    return [record(event, number) for number, event in enumerate(events, 1)]


def fold(log: list[Record], state: State | None = None) -> State:
    """The state after the log."""
    state = state or State()
    for each in log:
        apply(state, each)
    return state


def seeded_digest() -> str:
    """The digest of one long history, computed anew."""
    return combined(fold(records(history(SEEDED))).digests())


@given(draws, st.integers(0, 40))
def test_a_dump_and_the_rest_give_the_whole(drawn: list[Draw], cut: int) -> None:
    """A snapshot anywhere, through bytes, and the tail after it: the state of the full fold."""
    log = records(history(drawn))
    whole, before = fold(log), fold(log[:cut])
    plain = msgspec.msgpack.decode(pack(before.dump()))
    restored = State()
    restored.load(plain)
    assert restored.digests() == before.digests()
    assert fold(log[cut:], restored).digests() == whole.digests()
    assert restored.events == whole.events
    reused = fold(log)
    reused.load(plain)
    assert reused.digests() == before.digests(), "loading leaves nothing of what was there"


@given(draws)
def test_fills_told_again_change_nothing(drawn: list[Draw]) -> None:
    """Every fill of any prefix may be told twice: positions, orders and money stay."""
    events = history(drawn)
    fills = [event for event in events if isinstance(event, OrderFilled)]
    once = fold(records(events))
    again = fold(
        [record(fill, len(events) + n) for n, fill in enumerate(fills, 1)], fold(records(events))
    )
    assert again.ledger.duplicates == once.ledger.duplicates + len(fills)
    for name in ("orders", "books", "balances", "health", "latency"):
        assert again.digests()[name] == once.digests()[name]
    assert again.ledger.accounts == once.ledger.accounts


@given(draws)
def test_bytes_say_all_that_a_fold_needs(drawn: list[Draw]) -> None:
    """Events read back from their bytes give the same state."""
    events = history(drawn)
    read = [decode_event(encode_event(event)) for event in events]
    assert fold(records(read)).digests() == fold(records(events)).digests()


@given(draws)
def test_exposure_is_never_less_than_what_may_happen(drawn: list[Draw]) -> None:
    """What may still be filled on a side is what its open orders leave, at the very least."""
    state = fold(records(history(drawn)))
    for order in state.orders.live:
        assert order.leaves > 0, "an order with nothing left is closed"
    for side in (BUY, BUY.other):
        open_lots = sum(
            order.size - order.filled for order in state.orders.live_of(BTC) if order.side is side
        )
        assert state.orders.leaves(BTC, side) >= open_lots


def test_the_digest_is_the_same_under_any_hash_seed() -> None:
    """Two processes with two hash seeds fold the same history to the same bytes."""
    code = "from tests.projections.test_state import seeded_digest; print(seeded_digest())"
    seen = {seeded_digest()}
    for seed in ("1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(TOP)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
        seen.add(done.stdout.strip())
    assert len(seen) == 1


def test_the_seeded_history_is_worth_folding() -> None:
    """It holds every kind of fold's work, so that its digest means something."""
    state = fold(records(history(SEEDED)))
    empty = State().digests()
    assert all(digest != empty[name] for name, digest in state.digests().items())
    assert state.orders.fills > 20


def test_a_repeated_fill_reaches_no_fold() -> None:
    """It is counted, and neither order nor position nor money moves."""
    fill = filled("a", BUY, 100, 2)
    state = folded(placed("a", BUY, 100, 5), fill, fill)
    assert (state.orders.fills, state.ledger.net(BTC), state.ledger.duplicates) == (1, Lots(2), 1)
    assert state.events == 4


def test_one_digest_over_all_is_independent_of_their_order() -> None:
    """Names are sorted; any fold's change changes it."""
    digests = {"a": digest([1]), "b": digest([2])}
    assert combined(digests) == combined(dict(reversed(digests.items())))
    assert combined(digests) != combined({**digests, "b": digest([3])})
