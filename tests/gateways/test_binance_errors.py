"""Binance's refusals: every row of the table is reached, and what is in none is unknown."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm.gateways.venues.binance.errors import (
    ROWS,
    STATUSES,
    TEXT_MAX,
    Row,
    refusal_in,
    socket_refusal,
    verdict_of,
)
from mm.gateways.verdicts import Verdict

NOW = 1_700_000_000_000
CODES = {row.code for row in ROWS}


def body(code: int, text: str) -> str:
    """A refusal as it comes."""
    return msgspec.json.encode({"code": code, "msg": text}).decode()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code}{row.text[:20]}")
def test_every_row_is_reached(row: Row) -> None:
    """By its code and its text, over REST and over the WebSocket API, whatever the case."""
    text = f"Say: {row.text.upper()}."
    for status in (400, 401, 500, 503):
        said = refusal_in(status, body(row.code, text), "", NOW)
        assert said is not None
        assert (said.verdict, said.raw_code, said.raw_text) == (row.verdict, str(row.code), text)
    told = socket_refusal(400, {"code": row.code, "msg": text}, NOW)
    assert (told.verdict, told.raw_code) == (row.verdict, str(row.code))


@pytest.mark.parametrize(("status", "verdict"), STATUSES.items())
def test_a_status_decides_where_the_venue_itself_did_not_answer(
    status: int, verdict: Verdict
) -> None:
    """A firewall's page, a ban without a body."""
    said = refusal_in(status, "<html>no</html>", "", NOW)
    assert said is not None
    assert (said.verdict, said.raw_code) == (verdict, f"http {status}")


@given(code=st.integers().filter(lambda code: code not in CODES), status=st.integers(400, 599))
def test_what_is_in_no_row_has_an_unknown_outcome(code: int, status: int) -> None:
    """However certain it may sound."""
    expected = STATUSES[status] if status in (418, 429) else Verdict.UNKNOWN
    assert verdict_of(status, code, "Order was certainly refused") is expected


@pytest.mark.parametrize("text", ["", "<html>503</html>", "{", "[]", '{"code": "x"}', "null"])
def test_a_server_error_without_a_verdict_is_unknown(text: str) -> None:
    """The order may have been placed all the same."""
    said = refusal_in(503, text, "", NOW)
    assert said is not None
    assert said.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("text", ['{"orderId": 5}', "[]", '{"code": 200, "msg": "done"}'])
def test_success_is_no_refusal(text: str) -> None:
    """USD-M says `code` 200 when it worked."""
    assert refusal_in(200, text, "", NOW) is None


def test_a_refusal_may_come_with_a_good_status() -> None:
    """A negative code is one, whatever the status."""
    said = refusal_in(200, body(-2011, "Unknown order sent."), "", NOW)
    assert said is not None
    assert said.verdict is Verdict.ORDER_NOT_FOUND


def test_how_long_to_wait_is_read_from_header_text_and_data() -> None:
    """Seconds in the header, the end of a ban in the text, a stamp on the socket."""
    limited = refusal_in(429, body(-1003, "Too many requests."), "7", NOW)
    text = f"Way too many requests; IP banned until {NOW + 90_000}."
    banned = refusal_in(418, body(-1003, text), "", NOW)
    told = socket_refusal(
        418, {"code": -1003, "msg": "Banned.", "data": {"retryAfter": NOW + 30_000}}, NOW
    )
    assert limited is not None
    assert banned is not None
    assert (limited.verdict, limited.retry_after) == (Verdict.RATE_LIMITED, 7.0)
    assert (banned.verdict, banned.retry_after) == (Verdict.BANNED, 90.0)
    assert (told.verdict, told.retry_after) == (Verdict.BANNED, 30.0)


def test_a_page_is_quoted_in_short() -> None:
    """A fact is no place for a web page."""
    said = refusal_in(503, "x" * 10_000, "", NOW)
    assert said is not None
    assert len(said.raw_text) == TEXT_MAX
