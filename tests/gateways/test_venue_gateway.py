"""An order's life at a venue that may say anything: on the log it is once, and known in the end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mm.errors import VenueUnavailable
from mm.events.account import AccountDown, AccountReconciled, BalanceReported
from mm.events.orders import (
    AmendRejected,
    CancelRejected,
    ForeignOrderSeen,
    Liquidity,
    OrderFilled,
    OrderRejected,
    OrderResolved,
    OrderUncertain,
    RejectReason,
    Resolution,
)
from mm.events.session import NoteTaken, TradingHalted
from mm.events.units import Lots, OrderId, Side, Ticks
from mm.events.venue import RateLimited
from mm.gateways.verdicts import REASONS, UNCERTAIN, VenueSaid, Verdict
from mm.projections.lifecycle import Status
from tests.build import BTC, amend, placed, when
from tests.gateways.accounts import Account, order_id
from tests.gateways.fake_venue import FakeVenue, Resting, now

CERTAIN = [verdict for verdict in Verdict if verdict not in UNCERTAIN]


def said(verdict: Verdict, code: str = "-1") -> VenueSaid:
    """An answer of the venue."""
    return VenueSaid(verdict, raw_code=code, raw_text="text")


async def test_an_order_is_placed_filled_and_canceled() -> None:
    """The plain case: ack, a part filled, the rest taken out."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.venue.fill(name, 2)
        await account.reaches(name, Status.PARTIALLY_FILLED)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert (account.net, account.order(name).venue_order_id) == (2, "v1")
        (fill,) = account.of(OrderFilled)
        assert (fill.strategy, fill.wallet) == ("maker", "main")


async def test_nothing_is_reconciled_before_the_venue_was_asked() -> None:
    """The first reconciliation brings balances, and only then may anything be quoted."""
    venue = FakeVenue()
    free = BalanceReported(
        wallet="",
        asset="USDT",
        free=Decimal(7),
        locked=Decimal(0),
        received=now(),
        venue_time=now(),
    )
    venue.balances = (free,)
    async with Account(venue) as account:
        assert not account.state.health.reconciled
        await account.open()
        assert account.state.health.reconciled
        assert account.state.balances.total("main", "USDT") == 7


async def test_a_venue_that_cannot_be_asked_stops_the_start() -> None:
    """The session does not begin without the account."""
    venue = FakeVenue()
    for _ in range(10_000):
        venue.trouble("open_orders", said=said(Verdict.UNKNOWN))
    async with Account(venue, connect_seconds_max=0.05) as account:
        with pytest.raises(VenueUnavailable, match="did not say what is in the account"):
            await account.open()


async def test_the_end_does_not_need_the_venue() -> None:
    """A last reconciliation that fails is told, so that the session can end on the log."""
    async with Account(connect_seconds_max=0.2) as account:
        await account.open()
        for _ in range(10_000):
            account.venue.trouble("open_orders", said=said(Verdict.UNKNOWN))
        account.told(*await account.gateway.reconcile(now(), []))
        assert account.of(NoteTaken)


@pytest.mark.parametrize("verdict", CERTAIN)
async def test_a_certain_refusal_closes_the_order(verdict: Verdict) -> None:
    """Whatever the reason, the order is not there, and is not sent again."""
    async with Account() as account:
        await account.open()
        account.venue.trouble("place", said=said(verdict))
        name = account.place(1)
        await account.reaches(name, Status.REJECTED)
        assert account.venue.count("place") == 1
        if verdict is Verdict.NOT_SENT:
            assert account.of(OrderResolved)[-1].resolution is Resolution.NEVER_ARRIVED
        else:
            (refusal,) = account.of(OrderRejected)
            assert (refusal.reason, refusal.raw_code) == (REASONS[verdict], "-1")
        halted = bool(account.of(TradingHalted))
        assert halted == (verdict is Verdict.NOT_PERMITTED)


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("hidden", [0, 2])
async def test_an_unknown_outcome_is_asked_after_and_never_sent_again(
    silent: bool, done: bool, hidden: int
) -> None:
    """Timeout or error, done or not, seen at once or late: one order at most, and the truth."""
    async with Account() as account:
        await account.open()
        account.venue.hidden = hidden
        unknown = None if silent else said(Verdict.UNKNOWN, "-1007")
        account.venue.trouble("place", silent=silent, done=done, said=unknown)
        name = account.place(1)
        await account.until(lambda: account.of(OrderUncertain))
        assert account.status(name) is Status.UNCERTAIN
        await account.until(lambda: account.venue.count("order") > hidden)
        if not done:
            account.windows_pass()
        await account.reaches(name, Status.OPEN if done else Status.REJECTED)
        assert account.venue.count("place") == 1
        (resolved,) = account.of(OrderResolved)
        assert resolved.resolution is (Resolution.OPEN if done else Resolution.NEVER_ARRIVED)


async def test_an_order_is_not_given_up_before_all_windows_have_passed() -> None:
    """While its command may still take effect, an order that is not found is not gone."""
    async with Account() as account:
        await account.open()
        account.venue.trouble("place", said=said(Verdict.UNKNOWN))
        name = account.place(1)
        await account.until(lambda: account.venue.count("order") == 2)
        assert account.status(name) is Status.UNCERTAIN
        account.venue.accept(placed(name, Side.BUY, 1_000, 5))
        await account.reaches(name, Status.OPEN)


async def test_what_filled_meanwhile_is_found() -> None:
    """An order whose answer was lost, and whose fill nobody told, is adopted with its fill."""
    async with Account() as account:
        await account.open()
        account.venue.trouble("place", done=True, said=said(Verdict.UNKNOWN))
        name = account.place(1)
        await account.until(lambda: account.of(OrderUncertain))
        account.venue.fill(name, 5, tell=False)
        await account.reaches(name, Status.FILLED)
        assert account.net == 5


async def test_a_duplicate_id_means_that_the_order_exists() -> None:
    """The venue has it already: that is asked after, not taken for a refusal."""
    async with Account() as account:
        await account.open()
        account.venue.trouble("place", done=True, said=said(Verdict.DUPLICATE_ID))
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        assert not account.of(OrderRejected)


async def test_a_fill_is_booked_once() -> None:
    """Told twice by the stream and once more by a question, before its ack and after its cancel."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        fill = account.venue.fill(name, 2)
        account.venue.news.put_nowait((fill, fill))
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        account.venue.orders[name].filled = 2
        late = account.venue.fill(name, 1)
        account.told(*await account.gateway.reconcile(now(), []))
        await account.until(lambda: account.net == 3)
        assert [each.fill_id for each in account.of(OrderFilled)] == [fill.fill_id, late.fill_id]


async def test_fills_while_the_stream_was_down_are_recovered() -> None:
    """The account is unreconciled at once, and whole again when the stream stands."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.venue.drop()
        await account.until(lambda: account.of(AccountDown))
        assert not account.state.health.reconciled
        account.venue.fill(name, 3, tell=False)
        account.venue.rise()
        await account.until(lambda: account.state.health.reconciled)
        assert account.net == 3
        assert account.status(name) is Status.PARTIALLY_FILLED


async def test_an_order_canceled_while_the_stream_was_down_is_found() -> None:
    """It is among no open orders, so it is asked after by its id."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.venue.drop()
        account.venue.end(name)
        account.venue.rise()
        await account.reaches(name, Status.CANCELED)


async def test_a_session_after_a_crash_adopts_its_orders() -> None:
    """One rests, one was filled, one never left: each is told from evidence, none is sent."""
    async with Account() as before:
        await before.open()
        rests, filled = before.place(1), before.place(2, price=900)
        await before.until(lambda: before.venue.count("place") == 2)
        venue = before.venue
    venue.fill(filled, 5, tell=False)
    async with Account(venue) as account:
        for intent in (1, 2, 3):
            decided(account, intent)
        await account.open()
        await account.reaches(order_id(3), Status.REJECTED)
        assert account.status(rests) is Status.OPEN
        assert account.status(filled) is Status.FILLED
        assert (account.net, venue.count("place")) == (5, 2)


def decided(account: Account, number: int) -> None:
    """An intent that stands on the log; whether it left, nobody knows."""
    when(account.state, placed(order_id(number), Side.BUY, 1_000, 5))


async def test_fills_that_the_log_has_are_not_told_again() -> None:
    """The next session asks for fills from before the log's end, and drops what is there."""
    async with Account() as before:
        await before.open()
        name = before.place(1)
        await before.reaches(name, Status.OPEN)
        before.venue.fill(name, 2)
        await before.until(lambda: before.net == 2)
        known = before.of(OrderFilled)
    async with Account(before.venue) as account:
        decided(account, 1)
        when(account.state, *known)
        before.venue.fill(name, 1, tell=False)
        await account.open()
        assert [fill.size for fill in account.of(OrderFilled)] == [1]
        assert account.net == 3


async def test_an_order_that_the_log_holds_for_closed_is_canceled() -> None:
    """It rests at the venue all the same: that is told, and ended."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        account.venue.orders[name].resolution = Resolution.OPEN
        account.told(*await account.gateway.reconcile(now(), []))
        assert account.of(ForeignOrderSeen)
        await account.until(lambda: account.venue.count("cancel") == 2)


async def test_a_foreign_order_is_told_of_and_left_alone() -> None:
    """A person's order on the same account."""
    async with Account() as account:
        account.venue.orders["web_1"] = Resting(
            "web_1", "v9", BTC, Side.SELL, Ticks(1_100), Lots(1)
        )
        await account.open()
        (seen,) = account.of(ForeignOrderSeen)
        assert (seen.client_order_id, seen.venue_order_id) == ("web_1", "v9")
        assert account.venue.count("cancel") == 0


async def test_a_cancel_of_what_the_venue_does_not_know_is_asked_after() -> None:
    """It was filled: the question finds that, and the fill."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.venue.fill(name, 5, tell=False)
        account.cancel(name)
        await account.reaches(name, Status.FILLED)
        assert account.net == 5
        (refusal,) = account.of(CancelRejected)
        assert refusal.reason is RejectReason.UNKNOWN_ORDER


async def test_a_cancel_tries_again_until_the_venue_looks_at_it() -> None:
    """It can do no harm twice."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        for verdict in (Verdict.NOT_SENT, Verdict.BUSY):
            account.venue.trouble("cancel", said=said(verdict))
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)
        assert account.venue.count("cancel") == 3


@pytest.mark.parametrize("done", [True, False])
async def test_a_cancel_whose_answer_is_lost_is_asked_after(done: bool) -> None:
    """Either it is gone, or it rests, and the engine may cancel it anew."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.venue.trouble("cancel", done=done, said=said(Verdict.UNKNOWN))
        account.cancel(name)
        await account.until(lambda: account.venue.count("order"))
        if not done:
            account.windows_pass()
        await account.reaches(name, Status.CANCELED if done else Status.OPEN)
        assert account.venue.count("cancel") == 1


async def test_a_cancel_takes_back_what_has_not_left() -> None:
    """Nothing is sent of an order that was canceled while it waited."""
    async with Account(workers=0) as account:
        await account.open()
        name = account.place(1)
        account.cancel(name)
        assert account.status(name) is Status.REJECTED
        assert account.venue.count("place") == account.venue.count("cancel") == 0


async def test_a_cancel_waits_for_its_own_order_alone() -> None:
    """The place hangs: its cancel waits for the end of that, another order's does not."""
    async with Account(workers=2, cancel_workers=1) as account:
        await account.open()
        other = account.place(1)
        await account.reaches(other, Status.OPEN)
        account.venue.trouble("place", silent=True, done=True)
        name = account.place(2)
        await account.until(lambda: account.venue.count("place") == 2)
        account.cancel(name)
        account.cancel(other)
        await account.reaches(other, Status.CANCELED)
        assert account.venue.count("cancel") == 1
        await account.reaches(name, Status.CANCELED)


@pytest.mark.parametrize("done", [True, False])
async def test_an_amend_whose_answer_is_lost_is_asked_after(done: bool) -> None:
    """The venue says where it rests now."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.venue.trouble("amend", done=done, said=said(Verdict.UNKNOWN))
        account.send(amend(name, 990, 4))
        await account.until(lambda: account.of(OrderUncertain))
        account.windows_pass()
        await account.reaches(name, Status.OPEN)
        order = account.order(name)
        assert (order.price, order.size) == ((990, 4) if done else (1_000, 5))


async def test_a_refused_amend_leaves_the_order_where_it_was() -> None:
    """The refusal is told with its reason."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.venue.trouble("amend", said=said(Verdict.POST_ONLY_CROSSED))
        account.send(amend(name, 2_000, 5))
        await account.until(lambda: account.of(AmendRejected))
        assert (account.status(name), account.order(name).price) == (Status.OPEN, 1_000)


async def test_a_limit_or_a_ban_is_a_fact() -> None:
    """Nothing leaves before its end, not even a cancel."""
    async with Account() as account:
        await account.open()
        limited = VenueSaid(Verdict.BANNED, raw_code="418", retry_after=600.0)
        account.venue.trouble("place", said=limited)
        name = account.place(1)
        await account.reaches(name, Status.REJECTED)
        (fact,) = account.of(RateLimited)
        assert (fact.banned, fact.raw_code) == (True, "418")
        assert account.limiter.blocked_until == fact.until


async def test_a_stop_takes_out_all_of_ours_and_nothing_else() -> None:
    """One cancel each: the account may be shared."""
    async with Account() as account:
        await account.open()
        names = [account.place(number) for number in range(1, 6)]
        for name in names:
            await account.reaches(name, Status.OPEN)
        account.cancel_all()
        for name in names:
            await account.reaches(name, Status.CANCELED)
        assert account.state.orders.live == []


async def test_cancels_leave_before_the_end() -> None:
    """Closing waits for what was enqueued."""
    async with Account() as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        account.cancel(name)
    assert account.venue.orders[name].resolution is Resolution.CANCELED


async def test_a_bug_halts_trading_and_cancels_still_leave() -> None:
    """A task that raises is told of; whoever listens can end the session."""
    async with Account(workers=1, cancel_workers=0) as account:
        await account.open()
        name = account.place(1)
        await account.reaches(name, Status.OPEN)
        heard: list[BaseException] = []
        account.gateway.on_failure.append(heard.append)
        account.venue.troubles["place"].append("no trouble at all")  # type: ignore[arg-type]
        account.place(2)
        await account.until(lambda: account.of(TradingHalted))
        assert heard == [account.gateway.failure]
        account.cancel(name)
        await account.reaches(name, Status.CANCELED)


async def test_a_strangers_fill_counts_in_the_position() -> None:
    """A person traded on our account: it is nobody's, but it is there."""
    async with Account() as account:
        fill = OrderFilled(
            order_id=OrderId(""),
            instrument=BTC,
            fill_id="77",
            side=Side.SELL,
            price=Ticks(1_000),
            size=Lots(4),
            liquidity=Liquidity.TAKER,
            fee=Decimal(0),
            fee_asset="USDT",
            received=now(),
            venue_time=now(),
        )
        account.venue.told_fills.append(fill)
        await account.open()
        assert account.net == -4
        assert account.of(AccountReconciled)
