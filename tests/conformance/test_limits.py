"""Limits, clock and keys: what the venue allows is kept, what it refuses is told, nothing leaks.

Every check runs for every venue against its emulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mm.emulator.faults import Kind
from mm.errors import VenueUnavailable
from mm.events.orders import OrderRejected
from mm.events.session import TradingHalted
from mm.events.units import SECONDS, Nanos
from mm.events.venue import ClockMeasured, RateLimited
from mm.gateways.calls import CallLimits
from mm.projections.lifecycle import Status
from tests.build import placed
from tests.conformance.desk import OURS, not_offered, other_id, rests
from tests.emulator.venue import KEYS
from tests.gateways.accounts import order_id

if TYPE_CHECKING:
    from tests.conformance.desk import Desk


async def test_rates_of_the_venue_are_declared(desk: Desk) -> None:
    """Without them the limiter would hold nothing back."""
    port, _ = desk.port()
    rates = port.abilities.rates
    assert rates
    assert all(each.most > 0 and each.span > 0 for each in rates)
    for command in ("place", "cancel", "open_orders", "order", "fills", "account"):
        assert port.weight(command) >= 0


async def test_too_many_requests_is_a_fact(desk: Desk) -> None:
    """With the time until which nothing leaves; then it goes on by itself."""
    async with desk.wired() as account:
        desk.fault(desk.words.limited)
        await account.open()
        (limited,) = account.of(RateLimited)
        assert not limited.banned
        assert limited.until > limited.received
        await rests(desk, account)


async def test_ban_is_a_fact(desk: Desk) -> None:
    """It says so; nothing more is sent before its end."""
    async with desk.wired(connect_seconds_max=2.0) as account:
        desk.fault(desk.words.banned)
        with pytest.raises(VenueUnavailable):
            await account.open()
        limited = account.of(RateLimited)[0]
        assert limited.banned
        assert limited.until - limited.received >= 30 * SECONDS


async def test_what_is_not_permitted_is_for_a_person(desk: Desk) -> None:
    """Trading halts, with what the venue said."""
    async with desk.wired(connect_seconds_max=2.0) as account:
        desk.fault({**desk.words.denied, "count": 0})
        with pytest.raises(VenueUnavailable):
            await account.open()
        assert account.of(TradingHalted)


async def test_venue_that_is_away_at_the_start_is_asked_again(desk: Desk) -> None:
    """Pages of HTML with a 503, until it answers."""
    async with desk.wired() as account:
        desk.fault({**desk.words.ask, "kind": Kind.REFUSE, "status": 503, "count": 2})
        await account.open()
        await rests(desk, account)


async def test_venue_that_hangs_is_asked_again(desk: Desk) -> None:
    """A question without an answer is given up in time."""
    async with desk.wired(calls=CallLimits(answer_seconds_max=0.5)) as account:
        desk.fault({**desk.words.ask, "kind": Kind.HANG, "seconds": 20})
        await account.open()
        await rests(desk, account)


async def test_half_an_answer_is_asked_for_again(desk: Desk) -> None:
    """A question whose answer was cut short is no empty account."""
    async with desk.wired() as account:
        desk.fault({**desk.words.ask, "kind": Kind.TRUNCATE})
        await account.open()
        await rests(desk, account)


async def test_clock_is_measured_before_anything_is_signed(desk: Desk) -> None:
    """Its offset is a fact, and made up for: orders are taken."""
    desk.exchange.skew = Nanos(-20 * SECONDS)
    async with desk.wired() as account:
        await account.open()
        measured = account.of(ClockMeasured)[0]
        assert measured.safe
        assert round(measured.offset / SECONDS) == -20
        await rests(desk, account)


async def test_clock_that_moves_is_measured_anew(desk: Desk) -> None:
    """A stamp is refused, the clock is measured, and the next order is taken."""
    async with desk.wired() as account:
        await account.open()
        desk.exchange.skew = Nanos(3_600 * SECONDS)
        name = account.place(1, desk.bid(), desk.lots("0.1"))
        await account.reaches(name, Status.REJECTED)
        assert account.of(OrderRejected)[0].raw_code
        await account.until(lambda: len(account.of(ClockMeasured)) > 1)
        await rests(desk, account, number=2)


async def test_wrong_secret_halts(desk: Desk) -> None:
    """The signature does not fit: nothing is traded, a person has to look."""
    async with desk.wired(secret="x" * 64, connect_seconds_max=2.0) as account:
        with pytest.raises(VenueUnavailable):
            await account.open()
        assert account.of(TradingHalted)


async def test_unknown_key_halts(desk: Desk) -> None:
    """The venue knows no such key."""
    async with desk.wired(key="y" * 64, connect_seconds_max=2.0) as account:
        with pytest.raises(VenueUnavailable):
            await account.open()
        assert account.of(TradingHalted)


async def test_secrets_are_in_no_fact(desk: Desk) -> None:
    """Neither key nor secret, also where the venue refuses them."""
    async with desk.wired(secret="x" * 64, connect_seconds_max=1.0) as account:
        with pytest.raises(VenueUnavailable) as raised:
            await account.open()
        told = f"{account.facts} {raised.value} {account.port!r} {account.gateway!r}"
        assert KEYS.key not in told
        assert "x" * 64 not in told


async def test_ids_come_back_as_ours(desk: Desk) -> None:
    """What the venue has as client id is our order id again."""
    async with desk.wired() as account:
        await account.open()
        names = [account.place(n, desk.bid(50 + n), desk.lots("0.1")) for n in (1, 255, 4_096)]
        for name in names:
            await account.reaches(name, Status.OPEN)
        assert sorted(str(account.port.ids.decode(each)) for each in desk.open_ids) == sorted(names)


async def test_ids_are_told_apart(desk: Desk) -> None:
    """Ours come back exactly; another desk's are nobody's or its own; a person's are nobody's."""
    ours, _ = desk.port()
    other, _ = desk.port(owners=("other_main",))
    for number in (0, 1, 7, 63, 1_000, 65_535):
        name = order_id(number)
        assert ours.ids.decode(ours.ids.encode(name)) == name
        assert ours.ids.decode(other.ids.encode(other_id(number))) in (None, other_id(number))
    for text in ("", "web_1", "x" * 18, "0" * 32, OURS[0]):
        assert ours.ids.decode(text) is None


async def test_key_says_what_it_may_do(desk: Desk) -> None:
    """So that one which may withdraw can be refused."""
    port = await desk.other()
    found = await port.permissions()
    if not found:
        not_offered("the venue does not tell what a key may do")
    assert "trade" in found


async def test_longest_id_is_taken(desk: Desk) -> None:
    """A turn far in the future, placed under its id, and told apart again."""
    port = await desk.other()
    longest = type(other_id(1))("other_main_1799999999999_ffffffff00")
    where = desk.definition.instrument
    order = placed(longest, desk.order(1).side, desk.bid(), desk.lots("0.1"), instrument=where)
    await port.place(order)
    (held,) = desk.open_ids
    assert port.ids.decode(held) == longest
