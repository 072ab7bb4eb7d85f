"""The inbox is bounded, keeps order, and fills turns within their bounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mm.apps.inbox import PRIVATE_FACTS_MAX, Inbox
from mm.events.session import NoteTaken
from mm.events.turn import TURN_BYTES_MAX, TURN_FACTS_MAX, TURN_LEVELS_MAX
from mm.events.units import INT64_MAX, Nanos
from mm.log.chain import START, advance, seal
from tests.build import quote, snapshot

if TYPE_CHECKING:
    from mm.events.vocabulary import Fact


def at(number: int) -> Nanos:
    """A log time."""
    return Nanos(1_000 + number)


def quotes(count: int, first: int = 1) -> tuple[Fact, ...]:
    """Facts that can be told apart."""
    return tuple(quote(first + number, first + number + 5) for number in range(count))


def deep(levels: int, price: int = 1) -> Fact:
    """A snapshot of so many levels, of the longest numbers there are."""
    half = (INT64_MAX - price, INT64_MAX) * (levels // 2)
    return snapshot(half, half, sequence=price)


def test_market_facts_come_out_in_order() -> None:
    """First in, first out, each at the time it was received."""
    inbox = Inbox()
    facts = quotes(30)
    for number in range(10):
        assert inbox.offer(at(number), facts[3 * number : 3 * number + 3])
    assert inbox.next_at == at(0)
    taken, arrived, last = inbox.take(None)
    assert tuple(taken) == facts
    assert arrived
    assert last == at(9)
    assert not len(inbox)
    assert inbox.next_at is None


def test_private_facts_go_first() -> None:
    """Answers and commands overtake market data, in their own order."""
    inbox = Inbox()
    notes = [NoteTaken(who="test", text=str(number)) for number in range(3)]
    inbox.offer(at(0), quotes(2))
    inbox.tell(*notes)
    assert inbox.has_private
    taken, _, _ = inbox.take(None)
    assert taken[:3] == notes
    assert len(taken) == 5


def test_a_full_inbox_refuses_market_data() -> None:
    """A live feed is told that there is no room, and nothing of the message is kept."""
    inbox = Inbox(facts_max=5)
    assert inbox.offer(at(0), quotes(4))
    assert not inbox.offer(at(1), quotes(2))
    assert len(inbox) == 4
    assert inbox.offer(at(2), quotes(1))
    assert inbox.high_water == 5


def test_private_facts_are_never_refused() -> None:
    """However full of market data it is, an answer finds room."""
    inbox = Inbox(facts_max=1)
    inbox.offer(at(0), quotes(1))
    inbox.tell(*[NoteTaken(who="test", text=str(number)) for number in range(1_000)])
    assert len(inbox) == 1_001


def test_private_facts_that_nobody_takes_are_a_bug() -> None:
    """Beyond any sensible number the runner does not work: stop rather than grow."""
    inbox = Inbox()
    note = NoteTaken(who="test", text="x")
    inbox.tell(*[note] * PRIVATE_FACTS_MAX)
    with pytest.raises(AssertionError, match="not worked off"):
        inbox.tell(note)


async def test_a_recorded_feed_waits_for_room() -> None:
    """`put` returns once the message fits, and nothing is lost or reordered."""
    inbox = Inbox(facts_max=4)
    facts = quotes(40)

    async def feed() -> None:
        for number in range(20):
            await inbox.put(at(number), facts[2 * number : 2 * number + 2])

    feeding = asyncio.create_task(feed())
    taken: list[Fact] = []
    while len(taken) < len(facts):
        await inbox.filled(1.0)
        assert len(inbox) <= 4
        taken += inbox.take(None, room=3)[0]
        await asyncio.sleep(0)
    await feeding
    assert tuple(taken) == facts
    assert inbox.high_water == 4


async def test_a_message_larger_than_the_inbox_does_not_wait_for_ever() -> None:
    """An empty inbox takes any message: waiting would never end."""
    inbox = Inbox(facts_max=4)
    async with asyncio.timeout(1):
        await inbox.put(at(0), quotes(9))
    assert len(inbox) == 9
    assert not inbox.offer(at(1), quotes(1))


def test_a_turn_takes_so_many_facts() -> None:
    """What does not fit stays for the next turn, private facts counted too."""
    inbox = Inbox()
    inbox.tell(*[NoteTaken(who="test", text=str(number)) for number in range(100)])
    inbox.offer(at(0), quotes(TURN_FACTS_MAX))
    assert len(inbox.take(None)[0]) == TURN_FACTS_MAX
    assert len(inbox.take(None, room=10)[0]) == 10
    assert len(inbox.take(None)[0]) == 90


def test_a_turn_takes_up_to_a_time() -> None:
    """Facts received after it wait."""
    inbox = Inbox()
    for number in range(5):
        inbox.offer(at(number), quotes(1))
    taken, _, last = inbox.take(at(2))
    assert len(taken) == 3
    assert last == at(2)
    assert inbox.next_at == at(3)


@pytest.mark.parametrize("levels", [100, 8_000, TURN_LEVELS_MAX // 2, TURN_LEVELS_MAX])
def test_deep_snapshots_fit_the_bytes_of_a_turn(levels: int) -> None:
    """However deep the books, no turn is longer than a message may be, and none is lost."""
    inbox = Inbox()
    books = [deep(levels // 2, price) for price in range(1, 12)]
    for number, book in enumerate(books):
        inbox.offer(at(number), (book, *quotes(9)))
    head, taken = START, []
    while len(inbox):
        facts, _, last = inbox.take(None)
        sealed = seal(head, last, facts, [])
        assert len(sealed.payload) <= TURN_BYTES_MAX
        head = advance(head, sealed)
        taken += facts
    assert len(taken) == 110
    assert [fact for fact in taken if fact in books] == books


async def test_waiting_ends_when_something_comes() -> None:
    """A fact, the end of the feed or the time: whichever is first."""
    inbox = Inbox()
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, inbox.tell, NoteTaken(who="test", text="x"))
    async with asyncio.timeout(2):
        await inbox.filled(None)
    inbox.take(None)
    loop.call_later(0.01, inbox.end)
    async with asyncio.timeout(2):
        await inbox.filled(None)
    assert inbox.ended


async def test_waiting_ends_with_the_time() -> None:
    """Nothing comes; at once when the time is up already."""
    inbox = Inbox()
    began = asyncio.get_running_loop().time()
    await inbox.filled(0.02)
    assert asyncio.get_running_loop().time() - began >= 0.019
    async with asyncio.timeout(1):
        await inbox.filled(0.0)
        await inbox.filled(-1.0)
        inbox.end()
        await inbox.filled(None)
