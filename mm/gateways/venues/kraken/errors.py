"""What Kraken's refusals mean: one closed table, by the text that every refusal begins with.

A text is a category and what is wrong, sometimes with more behind it: `EOrder:Post only order`. The
first row that it begins with decides. A text in no row has an unknown outcome, and so has every
answer that is none of the venue's own; the venue answers errors with HTTP status 200, so a status
alone decides only where something in front of the venue refused.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from mm.gateways.verdicts import VenueSaid, Verdict

_V = Verdict
TEXT_MAX: Final = 200


class Row(NamedTuple):
    """What a text begins with, and what that means."""

    begins: str
    verdict: Verdict


INVALID_NONCE: Final = "EAPI:Invalid nonce"
ROWS: Final = (
    Row("EOrder:Post only order", _V.POST_ONLY_CROSSED),
    Row("Post only order", _V.POST_ONLY_CROSSED),
    Row("EOrder:Insufficient funds", _V.NO_FUNDS),
    Row("EOrder:Insufficient margin", _V.NO_FUNDS),
    Row("EOrder:Margin allowance exceeded", _V.NO_FUNDS),
    Row("EOrder:Margin level too low", _V.NO_FUNDS),
    Row("EOrder:Order minimum not met", _V.SIZE_TOO_SMALL),
    Row("EGeneral:Invalid arguments:volume minimum not met", _V.SIZE_TOO_SMALL),
    Row("EOrder:Cost minimum not met", _V.NOTIONAL_TOO_SMALL),
    Row("EOrder:Tick size check failed", _V.OFF_TICK),
    Row("EOrder:Invalid price", _V.OFF_TICK),
    Row("EGeneral:Invalid arguments:price", _V.OFF_TICK),
    Row("EOrder:Limit price is too far", _V.PRICE_OUT_OF_RANGE),
    Row("EGeneral:Invalid arguments:volume", _V.OFF_LOT),
    Row("EOrder:Position limit exceeded", _V.SIZE_TOO_LARGE),
    Row("EOrder:Reduce only", _V.REDUCE_ONLY),
    Row("EOrder:Insufficient liquidity", _V.NO_LIQUIDITY),
    Row("EOrder:Unknown order", _V.ORDER_NOT_FOUND),
    Row("EOrder:Unknown position", _V.ORDER_NOT_FOUND),
    Row("EOrder:Duplicate cl_ord_id", _V.DUPLICATE_ID),
    Row("EGeneral:Invalid arguments:cl_ord_id", _V.INVALID_ORDER),
    Row("EGeneral:Invalid arguments", _V.INVALID_ORDER),
    Row("EGeneral:Unknown method", _V.INVALID_ORDER),
    Row("EOrder:Invalid order", _V.INVALID_ORDER),
    Row("EOrder:Orders limit exceeded", _V.INVALID_ORDER),
    Row("EOrder:Scheduled orders limit exceeded", _V.INVALID_ORDER),
    Row("EQuery:Unknown asset pair", _V.INVALID_ORDER),
    Row("EQuery:Invalid asset pair", _V.INVALID_ORDER),
    Row("EAPI:Rate limit exceeded", _V.RATE_LIMITED),
    Row("EOrder:Rate limit exceeded", _V.RATE_LIMITED),
    Row("EOrder:Domain rate limit exceeded", _V.RATE_LIMITED),
    Row("EGeneral:Too many requests", _V.RATE_LIMITED),
    Row("EService:Throttled", _V.RATE_LIMITED),
    Row("EGeneral:Temporary lockout", _V.BANNED),
    Row("EAPI:Invalid key", _V.NOT_PERMITTED),
    Row("EAPI:Invalid signature", _V.NOT_PERMITTED),
    Row("EAPI:Feature disabled", _V.NOT_PERMITTED),
    Row("EGeneral:Permission denied", _V.NOT_PERMITTED),
    Row("EAccount:Invalid permissions", _V.NOT_PERMITTED),
    Row("EOrder:Trading agreement required", _V.NOT_PERMITTED),
    Row("ETrade:Locked", _V.NOT_PERMITTED),
    Row("ETrade:User Locked", _V.NOT_PERMITTED),
    Row("ESession:Invalid session", _V.BUSY),
    Row(INVALID_NONCE, _V.CLOCK_SKEW),
    Row("EService:Deadline elapsed", _V.CLOCK_SKEW),
    Row("EService:Market in cancel_only mode", _V.INSTRUMENT_CLOSED),
    Row("EService:Market in post_only mode", _V.INSTRUMENT_CLOSED),
    Row("EService:Market in limit_only mode", _V.INSTRUMENT_CLOSED),
    Row("EService:Unavailable", _V.UNKNOWN),
    Row("EService:Busy", _V.UNKNOWN),
    Row("EService:Timeout", _V.UNKNOWN),
    Row("EGeneral:Internal error", _V.UNKNOWN),
    Row("EDatabase:Internal error", _V.UNKNOWN),
)
STATUSES: Final[Mapping[int, Verdict]] = {
    403: _V.RATE_LIMITED,  # The firewall in front of everything that could act.
    429: _V.RATE_LIMITED,
    451: _V.NOT_PERMITTED,
}


def verdict_of(text: str) -> Verdict:
    """What a refusal's text means."""
    for row in ROWS:
        if text.startswith(row.begins):
            return row.verdict
    return Verdict.UNKNOWN


def refusal(text: str, where: str = "") -> VenueSaid:
    """The refusal that a text is."""
    code = ":".join(text.split(":")[:2])
    return VenueSaid(verdict_of(text), raw_code=code, raw_text=text[:TEXT_MAX], where=where)


def refusal_in(status: int, answer: Any, retry_after: str) -> VenueSaid | None:
    """The refusal that an answer over REST is; None for an answer that is none."""
    errors = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(errors, list):
        texts = [str(each) for each in errors if str(each).startswith("E")]
        if texts:
            return refusal(texts[0])
        if "result" in answer:
            return None
    after = float(retry_after) if retry_after.isdecimal() else 0.0
    verdict = STATUSES.get(status, Verdict.UNKNOWN)
    text = "an answer without a result"
    return VenueSaid(verdict, raw_code=f"http {status}", raw_text=text, retry_after=after)
