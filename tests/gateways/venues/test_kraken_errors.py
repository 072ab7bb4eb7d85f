"""Every refusal that Kraken is known to make has one meaning, and none other has any."""

import pytest

from mm.gateways.venues.kraken.errors import ROWS, STATUSES, Row, refusal_in, verdict_of
from mm.gateways.verdicts import STOPPING, UNCERTAIN, Verdict

MEANINGS = {
    "EOrder:Post only order": Verdict.POST_ONLY_CROSSED,
    "EOrder:Insufficient funds": Verdict.NO_FUNDS,
    "EOrder:Order minimum not met": Verdict.SIZE_TOO_SMALL,
    "EOrder:Cost minimum not met": Verdict.NOTIONAL_TOO_SMALL,
    "EOrder:Tick size check failed": Verdict.OFF_TICK,
    "EGeneral:Invalid arguments:volume": Verdict.OFF_LOT,
    "EGeneral:Invalid arguments:volume minimum not met": Verdict.SIZE_TOO_SMALL,
    "EGeneral:Invalid arguments:price": Verdict.OFF_TICK,
    "EGeneral:Invalid arguments:ordertype": Verdict.INVALID_ORDER,
    "EOrder:Invalid price:XBTUSD price can only be specified up to 1 decimals": Verdict.OFF_TICK,
    "EOrder:Unknown order": Verdict.ORDER_NOT_FOUND,
    "EOrder:Reduce only:No position exists": Verdict.REDUCE_ONLY,
    "EAPI:Rate limit exceeded": Verdict.RATE_LIMITED,
    "EOrder:Rate limit exceeded": Verdict.RATE_LIMITED,
    "EGeneral:Temporary lockout": Verdict.BANNED,
    "EAPI:Invalid nonce": Verdict.CLOCK_SKEW,
    "EService:Deadline elapsed": Verdict.CLOCK_SKEW,
    "EAPI:Invalid key": Verdict.NOT_PERMITTED,
    "EAPI:Invalid signature": Verdict.NOT_PERMITTED,
    "EGeneral:Permission denied": Verdict.NOT_PERMITTED,
    "EService:Market in cancel_only mode": Verdict.INSTRUMENT_CLOSED,
    "EService:Busy": Verdict.UNKNOWN,
    "EService:Unavailable": Verdict.UNKNOWN,
    "EGeneral:Internal error": Verdict.UNKNOWN,
}


@pytest.mark.parametrize("text", MEANINGS)
def test_refusal_means_what_the_venue_says(text: str) -> None:
    """Texts as they come, with and without something behind them."""
    assert verdict_of(text) is MEANINGS[text]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.begins)
def test_every_row_is_reached(row: Row) -> None:
    """No row stands behind one that takes all of its texts."""
    assert verdict_of(row.begins) is row.verdict
    before = ROWS[: ROWS.index(row)]
    assert not [each for each in before if row.begins.startswith(each.begins)]


@pytest.mark.parametrize("text", ["", "EOrder:Something new", "WGeneral:Danger", "Insufficient"])
def test_text_in_no_row_has_an_unknown_outcome(text: str) -> None:
    """It may have been done."""
    assert verdict_of(text) in UNCERTAIN


@pytest.mark.parametrize("status", STATUSES)
def test_status_counts_only_without_an_answer_of_the_venue(status: int) -> None:
    """What stands in front of the venue refused."""
    said = refusal_in(status, None, "7")
    assert said is not None
    assert (said.verdict, said.retry_after) == (STATUSES[status], 7.0)
    own = refusal_in(status, {"error": ["EOrder:Insufficient funds"]}, "")
    assert own is not None
    assert own.verdict is Verdict.NO_FUNDS


@pytest.mark.parametrize("answer", [None, [], "", {}, {"error": []}, {"result": {}}, {"error": 1}])
@pytest.mark.parametrize("status", [200, 500, 502, 520])
def test_answer_that_is_none_has_an_unknown_outcome(status: int, answer: object) -> None:
    """Cut short, empty, or a page of something in between."""
    said = refusal_in(status, answer, "")
    assert said is not None
    assert said.verdict is Verdict.UNKNOWN


def test_good_answer_is_no_refusal() -> None:
    """Warnings do not make it one."""
    assert refusal_in(200, {"error": [], "result": {}}, "") is None
    assert refusal_in(200, {"error": ["WGeneral:Careful"], "result": {}}, "") is None


def test_wrong_key_stops_trading() -> None:
    """Going on would only lock the account."""
    assert verdict_of("EAPI:Invalid key") in STOPPING
