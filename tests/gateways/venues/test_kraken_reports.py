"""What Kraken's reports of orders mean; frames that the emulated venue does not make as well."""

from decimal import Decimal
from typing import Any

import pytest

from mm.errors import BadInput
from mm.events.orders import (
    CancelReason,
    OrderAcked,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)
from mm.events.units import Nanos, OrderId
from mm.gateways.client_ids import PortableIds
from mm.gateways.venues.kraken.messages import Execution, Fee, Reader
from tests.gateways.venues.kraken_frames import STAMP, START, bitcoin

OURS = OrderId("maker_main_1732224000000_100")
IDS = PortableIds(("maker_main",))
VENUES_ID = "OAAAAA-BBBBB-CCCCCC"


def reader() -> Reader:
    """One that was told of an order of ours when it was new."""
    made = Reader(IDS, lambda: START)
    made.learn((bitcoin(),))
    new = said("pending_new", symbol="BTC/USD", cl_ord_id=IDS.encode(OURS))
    assert made.report(new) == []
    return made


def said(kind: str, **fields: Any) -> Execution:
    """A report as bare as the venue makes them after the first."""
    return Execution(**{"order_id": VENUES_ID, "exec_type": kind, "timestamp": STAMP, **fields})


def test_report_that_names_only_the_order_is_of_ours() -> None:
    """The venue says symbol and client id once."""
    (acked,) = reader().report(said("new"))
    assert isinstance(acked, OrderAcked)
    assert (acked.order_id, acked.venue_order_id) == (OURS, VENUES_ID)
    assert acked.venue_time == Nanos(START + 1_000)


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("User requested", CancelReason.REQUESTED),
        ("", CancelReason.REQUESTED),
        ("Order was IOC", CancelReason.IOC_REST),
        ("Immediate or cancel", CancelReason.IOC_REST),
        ("Self trade prevention", CancelReason.SELF_TRADE),
        ("Market closed", CancelReason.VENUE),
    ],
)
def test_canceled_order_says_why(reason: str, wanted: CancelReason) -> None:
    """And how much was filled, where it says."""
    (gone,) = reader().report(said("canceled", reason=reason, cum_qty=Decimal("0.5")))
    assert isinstance(gone, OrderCanceled)
    assert (gone.reason, gone.filled) == (wanted, 50_000_000)
    (unsaid,) = reader().report(said("canceled", reason=reason))
    assert isinstance(unsaid, OrderCanceled)
    assert unsaid.filled == -1


def test_post_only_order_that_was_accepted_and_then_refused_has_expired() -> None:
    """The venue's rule ended it, nobody asked for that."""
    (gone,) = reader().report(said("canceled", reason="Post only order"))
    assert isinstance(gone, OrderExpired)
    (late,) = reader().report(said("expired", reason="Good till date"))
    assert isinstance(late, OrderExpired)
    (refused,) = reader().report(said("rejected", reason="No funds"))
    assert isinstance(refused, OrderRejected)


TRADE: dict[str, Any] = {
    "symbol": "BTC/USD",
    "side": "buy",
    "exec_id": "TAAAAA-BBBBB-CCCCCC",
    "last_qty": Decimal("0.25"),
    "last_price": Decimal("60000.1"),
    "liquidity_ind": "t",
    "fees": [Fee("USD", Decimal("60.0001"))],
}


def test_trade_has_its_fee_in_the_asset_that_it_was_taken_in() -> None:
    """Digit for digit."""
    (fill,) = reader().report(said("trade", **TRADE))
    assert isinstance(fill, OrderFilled)
    assert (fill.price, fill.size) == (600_001, 25_000_000)
    assert (fill.fee, fill.fee_asset, fill.order_id) == (Decimal("60.0001"), "USD", OURS)


@pytest.mark.parametrize("kind", ["pending_new", "filled", "status", "iceberg_refill", "restated"])
def test_report_that_changes_nothing_is_passed_over(kind: str) -> None:
    """A restatement without a price, the end of an order that its trades have told."""
    assert reader().report(said(kind)) == []


def test_order_of_another_pair_or_one_never_heard_of_is_passed_over() -> None:
    """It is not ours to trade."""
    made = reader()
    assert made.report(said("canceled", order_id="OZZZZZ-ZZZZZ-ZZZZZZ")) == []
    assert made.report(said("trade", **{**TRADE, "symbol": "ETH/USD"})) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"exec_type": "teleported"},
        {"exec_type": "trade", **TRADE, "side": ""},
        {"exec_type": "trade", **TRADE, "exec_id": ""},
        {"exec_type": "trade", **TRADE, "last_price": Decimal("60000.15")},
        {"exec_type": "trade", **TRADE, "fees": [Fee("USD", Decimal(1)), Fee("BTC", Decimal(1))]},
        {"exec_type": "canceled", "timestamp": "yesterday"},
    ],
)
def test_report_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    """The connection ends then, and the account is asked."""
    with pytest.raises(BadInput):
        reader().report(said(**{"kind": changes["exec_type"], **changes}))
