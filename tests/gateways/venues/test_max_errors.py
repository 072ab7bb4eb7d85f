"""Every refusal that MAX is known to make has one meaning, and none other has any."""

import json

import pytest

from mm.gateways.venues.max.errors import (
    ROWS,
    SOCKET_CODES,
    STATUSES,
    Row,
    refusal_in,
    socket_refusal,
    verdict_of,
)
from mm.gateways.verdicts import STOPPING, UNCERTAIN, Verdict

MEANINGS = {
    (1001, "market does not have a valid value"): Verdict.INVALID_ORDER,
    (1001, "client_oid has already been taken"): Verdict.DUPLICATE_ID,
    (1001, "client_oid has been used"): Verdict.DUPLICATE_ID,
    (2002, "Order volume too small"): Verdict.SIZE_TOO_SMALL,
    (2002, "Failed to create order. Reason: cannot lock funds"): Verdict.NO_FUNDS,
    (2002, "Failed to create order. Reason: client_oid exists"): Verdict.DUPLICATE_ID,
    (2002, "Failed to create order."): Verdict.UNKNOWN,
    (2003, "Failed to cancel order"): Verdict.ORDER_NOT_FOUND,
    (2004, "Order doesn't exist"): Verdict.ORDER_NOT_FOUND,
    (2005, "Signature is incorrect."): Verdict.NOT_PERMITTED,
    (2006, "The nonce has already been used by access key."): Verdict.CLOCK_SKEW,
    (2007, "The nonce is invalid."): Verdict.CLOCK_SKEW,
    (2008, "The access key does not exist."): Verdict.NOT_PERMITTED,
    (2009, "The access key is disabled."): Verdict.NOT_PERMITTED,
    (2011, "Requested API is out of access key scopes."): Verdict.NOT_PERMITTED,
    (2014, "Payload is not consistent with body"): Verdict.NOT_PERMITTED,
    (2015, "Payload is invalid"): Verdict.NOT_PERMITTED,
    (2016, "amount_too_small"): Verdict.NOTIONAL_TOO_SMALL,
    (2018, "cannot lock funds"): Verdict.NO_FUNDS,
    (4000, "resource not found"): Verdict.ORDER_NOT_FOUND,
    (404, "找不到該資源"): Verdict.ORDER_NOT_FOUND,
    (4002, "You don't have permission to perform this operation"): Verdict.NOT_PERMITTED,
}


@pytest.mark.parametrize(("code", "text"), MEANINGS)
def test_refusal_means_what_the_venue_says(code: int, text: str) -> None:
    """Codes with their texts as they come."""
    assert verdict_of(code, text) is MEANINGS[code, text]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code} {row.text}")
def test_every_row_is_reached_by_a_text_that_is_known(row: Row) -> None:
    """No row stands behind one that takes all of its texts, and none is untried."""
    earlier = ROWS[: ROWS.index(row)]
    known = [text for code, text in MEANINGS if code == row.code and row.text in text.lower()]
    assert [
        text
        for text in known
        if not any(each.code == row.code and each.text in text.lower() for each in earlier)
    ]


@pytest.mark.parametrize("code", [0, -1, 1000, 2001, 2010, 2017, 5000])
def test_code_in_no_row_has_an_unknown_outcome(code: int) -> None:
    """It may have been done."""
    assert verdict_of(code, "cannot lock funds") in UNCERTAIN


def body(code: int, text: str = "") -> bytes:
    """A refusal as it stands in an answer."""
    return json.dumps({"success": False, "error": {"code": code, "message": text}}).encode()


@pytest.mark.parametrize("status", STATUSES)
def test_status_counts_without_an_answer_of_the_venue(status: int) -> None:
    """What stands in front of the venue refused, or the address is banned."""
    said = refusal_in(status, b"<html>", 7.0)
    assert said is not None
    assert (said.verdict, said.retry_after) == (STATUSES[status], 7.0)


def test_answer_of_the_venue_counts_more_than_its_status() -> None:
    """But for a ban, which is of the address."""
    own = refusal_in(400, body(2018), 0.0)
    assert own is not None
    assert (own.verdict, own.raw_code) == (Verdict.NO_FUNDS, "2018")
    banned = refusal_in(429, body(429), 60.0)
    assert banned is not None
    assert (banned.verdict, banned.retry_after) == (Verdict.BANNED, 60.0)


@pytest.mark.parametrize("status", [400, 404, 500, 502, 503])
@pytest.mark.parametrize("text", [b"", b"{}", b"<html>", b"\xff", b'{"error":"no"}', b"[]"])
def test_answer_that_is_none_has_an_unknown_outcome(status: int, text: bytes) -> None:
    """Cut short, empty, or a page of something in between."""
    said = refusal_in(status, text, 0.0)
    assert said is not None
    assert said.verdict is Verdict.UNKNOWN


def test_good_answer_is_no_refusal() -> None:
    """But one that says an error under a good status is."""
    assert refusal_in(200, b'{"success":true}', 0.0) is None
    assert refusal_in(200, body(2004), 0.0) is not None


@pytest.mark.parametrize("code", SOCKET_CODES)
def test_error_on_a_socket_has_its_meaning(code: str) -> None:
    """A wrong key stops trading."""
    said = socket_refusal([f"{code}: whatever"], "")
    assert (said.verdict, said.raw_code) == (SOCKET_CODES[code], code)
    assert socket_refusal(["E-9999: new"], "").verdict in UNCERTAIN
    assert socket_refusal(["E-1007: authentication failed"], "").verdict in STOPPING
