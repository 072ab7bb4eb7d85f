"""StandX's refusals: every row of the table, and answers that are none of the venue's own."""

import pytest

from mm.gateways.venues.standx.errors import ROWS, Row, refusal, refusal_in, verdict_of
from mm.gateways.verdicts import REASONS, Verdict

WHERE = "https://perps.standx.com/api/new_order"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code} {row.part}".rstrip())
def test_row_is_reached(row: Row) -> None:
    """No row stands in the shadow of one before it, however the text is written."""
    text = f"Order: {row.part.upper()} (7)" if row.part else "something else"
    assert verdict_of(row.code, text) is row.verdict
    said = refusal(row.code, text, WHERE)
    assert (said.raw_code, said.raw_text) == (str(row.code), text)
    assert said.verdict in REASONS


@pytest.mark.parametrize("code", [1, 402, 418, 502, 503, 504, 10_000])
def test_code_in_no_row_has_an_unknown_outcome(code: int) -> None:
    """It may have been done: it is asked after."""
    assert verdict_of(code, "alo order rejected") is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b'{"code":400,"message":"alo order rejected"}', Verdict.POST_ONLY_CROSSED),
        (400, b'{"code":400,"message":"alo order rejected"}', Verdict.POST_ONLY_CROSSED),
        (400, b'{"message":"bad"}', Verdict.INVALID_ORDER),
        (404, b'{"code":404,"message":"order not found"}', Verdict.ORDER_NOT_FOUND),
        (429, b"<html>slow down</html>", Verdict.RATE_LIMITED),
        (403, b"<html>blocked</html>", Verdict.RATE_LIMITED),
        (451, b"", Verdict.NOT_PERMITTED),
        (400, b"<html>bad gateway of somebody</html>", Verdict.UNKNOWN),
        (404, b"<html>not here</html>", Verdict.UNKNOWN),
        (500, b'{"code":500,"message":"internal"}', Verdict.UNKNOWN),
        (502, b"<html>bad gateway</html>", Verdict.UNKNOWN),
        (200, b"", Verdict.UNKNOWN),
        (200, b'{"code":0,"mess', Verdict.UNKNOWN),
        (200, b"<html>maintenance</html>", Verdict.UNKNOWN),
    ],
)
def test_answer_over_rest_is_judged_by_who_gave_it(
    status: int, body: bytes, verdict: Verdict
) -> None:
    """The venue's own code first; what stands in front of it by its status; else nobody knows."""
    said = refusal_in(status, body, WHERE, 0.0)
    assert said is not None
    assert said.verdict is verdict


@pytest.mark.parametrize(
    "body",
    [b'{"code":0,"message":"success","request_id":"x"}', b"[]", b'{"result":[]}', b'{"id":7}'],
)
def test_good_answer_is_no_refusal(body: bytes) -> None:
    """An object without a code, or a list."""
    assert refusal_in(200, body, WHERE, 0.0) is None


def test_time_to_wait_is_kept() -> None:
    """As the venue asked."""
    said = refusal_in(429, b'{"code":429,"message":"rate limit exceeded"}', WHERE, 3.0)
    assert said is not None
    assert (said.verdict, said.retry_after) == (Verdict.RATE_LIMITED, 3.0)
