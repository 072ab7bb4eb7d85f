"""What StandX's refusals mean: one closed table, by code and by what the text contains.

Codes are those of HTTP, in a body or as the status, and the same on the order stream. The venue
documents what each means, and one text; the other texts only make a plain refusal more exact. The
first row that fits decides. What is in no row has an unknown outcome, and so has every answer that
is none of the venue's own.
"""

from typing import Final, NamedTuple

import msgspec

from mm.gateways.verdicts import VenueSaid, Verdict

_V = Verdict
TEXT_MAX: Final = 200
GOOD: Final = frozenset({0, 200})


class Row(NamedTuple):
    """A code and a part of the text in lower case; an empty one fits every text."""

    code: int
    part: str
    verdict: Verdict


ROWS: Final = (
    Row(400, "alo order rejected", _V.POST_ONLY_CROSSED),
    Row(400, "reduce only", _V.REDUCE_ONLY),
    Row(400, "reduce_only", _V.REDUCE_ONLY),
    Row(400, "insufficient", _V.NO_FUNDS),
    Row(400, "no liquidity", _V.NO_LIQUIDITY),
    Row(400, "duplicate", _V.DUPLICATE_ID),
    Row(400, "order not found", _V.ORDER_NOT_FOUND),
    Row(400, "timestamp", _V.CLOCK_SKEW),
    Row(400, "signature", _V.NOT_PERMITTED),
    Row(400, "market is closed", _V.INSTRUMENT_CLOSED),
    Row(400, "price", _V.PRICE_OUT_OF_RANGE),
    Row(400, "", _V.INVALID_ORDER),
    Row(401, "timestamp", _V.CLOCK_SKEW),
    Row(401, "", _V.NOT_PERMITTED),
    Row(403, "", _V.NOT_PERMITTED),
    Row(404, "", _V.ORDER_NOT_FOUND),
    Row(429, "", _V.RATE_LIMITED),
    Row(451, "", _V.NOT_PERMITTED),
    Row(500, "", _V.UNKNOWN),
)
STATUSES: Final = {403: _V.RATE_LIMITED, 429: _V.RATE_LIMITED, 451: _V.NOT_PERMITTED}
"""Of answers that are not the venue's own: what stands in front of it refused."""


class Told(msgspec.Struct):
    """Any answer, as far as it may be a refusal."""

    code: int = 0
    message: str = ""
    request_id: str = ""


_told: Final[msgspec.json.Decoder[Told]] = msgspec.json.Decoder(Told)


def verdict_of(code: int, text: str) -> Verdict:
    """What a refusal means."""
    lower = text.lower()
    for row in ROWS:
        if row.code == code and row.part in lower:
            return row.verdict
    return Verdict.UNKNOWN


def refusal(code: int, text: str, where: str = "", retry_after: float = 0.0) -> VenueSaid:
    """The refusal that a code and a text are."""
    return VenueSaid(
        verdict_of(code, text),
        raw_code=str(code),
        raw_text=text[:TEXT_MAX],
        where=where,
        retry_after=retry_after,
    )


def refusal_in(status: int, body: bytes, where: str, retry_after: float) -> VenueSaid | None:
    """The refusal that an answer over REST is; None for an answer that is none."""
    text = body.lstrip()
    own = text[:1] == b"{" or (status in GOOD and text[:1] == b"[")
    try:
        told = _told.decode(body) if text[:1] == b"{" else Told()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        own, told = False, Told()
    if own and told.code not in GOOD:
        return refusal(told.code, told.message, where, retry_after)
    if own and status in GOOD:
        return None
    if own:
        return refusal(status, told.message, where, retry_after)
    verdict = STATUSES.get(status, Verdict.UNKNOWN)
    said = f"http {status}"
    shown = "an answer that is none of the venue's own"
    return VenueSaid(verdict, raw_code=said, raw_text=shown, where=where, retry_after=retry_after)
