"""What Binance's refusals mean: one closed table for spot and USD-M, by raw code, then by text.

The first row that fits decides. A code that is in no row has an unknown outcome, and so has every
answer that is no answer of the venue's own. HTTP status alone decides only where the venue's own
documents say that nothing was done.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec

from mm.gateways.verdicts import VenueSaid, Verdict

_V = Verdict


PRECISION: Final = -1111
FIELDS: Final = tuple(code for code in range(-1131, -1099) if code != PRECISION)
"""A parameter is missing, misspelt or out of range: nothing was done."""


class Row(NamedTuple):
    """A code, what its text contains (lower case; empty: any), and what that means."""

    code: int
    text: str
    verdict: Verdict


ROWS: Final = (
    Row(-1000, "", _V.UNKNOWN),
    Row(-1001, "", _V.UNKNOWN),
    Row(-1002, "", _V.NOT_PERMITTED),
    Row(-1003, "banned", _V.BANNED),
    Row(-1003, "", _V.RATE_LIMITED),
    Row(-1004, "", _V.BUSY),
    Row(-1006, "", _V.UNKNOWN),
    Row(-1007, "", _V.UNKNOWN),
    Row(-1008, "", _V.BUSY),
    Row(-1013, "min_notional", _V.NOTIONAL_TOO_SMALL),
    Row(-1013, "notional", _V.NOTIONAL_TOO_SMALL),
    Row(-1013, "price_filter", _V.OFF_TICK),
    Row(-1013, "percent_price", _V.PRICE_OUT_OF_RANGE),
    Row(-1013, "lot_size", _V.OFF_LOT),
    Row(-1013, "market is closed", _V.INSTRUMENT_CLOSED),
    Row(-1013, "", _V.INVALID_ORDER),
    Row(-1014, "", _V.INVALID_ORDER),
    Row(-1015, "", _V.RATE_LIMITED),
    Row(-1016, "", _V.INSTRUMENT_CLOSED),
    Row(-1020, "", _V.INVALID_ORDER),
    Row(-1021, "", _V.CLOCK_SKEW),
    Row(-1022, "", _V.NOT_PERMITTED),
    Row(PRECISION, "", _V.OFF_LOT),
    *(Row(code, "", _V.INVALID_ORDER) for code in FIELDS),
    Row(-2010, "immediately match", _V.POST_ONLY_CROSSED),
    Row(-2010, "insufficient balance", _V.NO_FUNDS),
    Row(-2010, "duplicate order", _V.DUPLICATE_ID),
    Row(-2010, "market is closed", _V.INSTRUMENT_CLOSED),
    Row(-2010, "no liquidity", _V.NO_LIQUIDITY),
    Row(-2010, "restricted for this account", _V.NOT_PERMITTED),
    Row(-2010, "not permitted", _V.NOT_PERMITTED),
    Row(-2010, "may not place", _V.NOT_PERMITTED),
    Row(-2010, "", _V.INVALID_ORDER),
    Row(-2011, "unknown order", _V.ORDER_NOT_FOUND),
    Row(-2011, "", _V.INVALID_ORDER),
    Row(-2013, "", _V.ORDER_NOT_FOUND),
    Row(-2014, "", _V.NOT_PERMITTED),
    Row(-2015, "", _V.NOT_PERMITTED),
    Row(-2016, "", _V.INSTRUMENT_CLOSED),
    Row(-2018, "", _V.NO_FUNDS),
    Row(-2019, "", _V.NO_FUNDS),
    Row(-2020, "", _V.NO_LIQUIDITY),
    Row(-2021, "", _V.INVALID_ORDER),
    Row(-2022, "", _V.REDUCE_ONLY),
    Row(-2024, "", _V.REDUCE_ONLY),
    Row(-2025, "", _V.INVALID_ORDER),
    Row(-2026, "", _V.INVALID_ORDER),
    Row(-2027, "", _V.SIZE_TOO_LARGE),
    Row(-2028, "", _V.NO_FUNDS),
    Row(-4001, "", _V.PRICE_OUT_OF_RANGE),
    Row(-4002, "", _V.PRICE_OUT_OF_RANGE),
    Row(-4003, "", _V.SIZE_TOO_SMALL),
    Row(-4004, "", _V.SIZE_TOO_SMALL),
    Row(-4005, "", _V.SIZE_TOO_LARGE),
    Row(-4013, "", _V.PRICE_OUT_OF_RANGE),
    Row(-4014, "", _V.OFF_TICK),
    Row(-4015, "", _V.INVALID_ORDER),
    Row(-4016, "", _V.PRICE_OUT_OF_RANGE),
    Row(-4023, "", _V.OFF_LOT),
    Row(-4024, "", _V.PRICE_OUT_OF_RANGE),
    Row(-4116, "", _V.DUPLICATE_ID),
    Row(-4118, "", _V.REDUCE_ONLY),
    Row(-4131, "", _V.PRICE_OUT_OF_RANGE),
    Row(-4140, "", _V.INSTRUMENT_CLOSED),
    Row(-4164, "", _V.NOTIONAL_TOO_SMALL),
    Row(-4192, "", _V.NOT_PERMITTED),
    Row(-4400, "", _V.NOT_PERMITTED),
    Row(-5021, "", _V.NO_LIQUIDITY),
    Row(-5022, "", _V.POST_ONLY_CROSSED),
    Row(-5025, "", _V.INVALID_ORDER),
    Row(-5026, "", _V.INVALID_ORDER),
    Row(-5027, "", _V.INVALID_ORDER),
)
STATUSES: Final[Mapping[int, Verdict]] = {
    403: _V.RATE_LIMITED,  # The venue's firewall, in front of everything that could act.
    418: _V.BANNED,
    429: _V.RATE_LIMITED,
    451: _V.NOT_PERMITTED,
}
UNTIL: Final = re.compile(r"until (\d{13})")
TEXT_MAX: Final = 200


class Refusal(msgspec.Struct):
    """The body of a refusal."""

    code: int
    msg: str = ""


_refusal: Final = msgspec.json.Decoder(Refusal)


def verdict_of(status: int, code: int | None, text: str) -> Verdict:
    """What an HTTP status, a code (None: no body of the venue's) and its text mean."""
    if status in STATUSES and (code is None or status in (418, 429)):
        return STATUSES[status]
    lower = text.lower()
    for row in ROWS:
        if row.code == code and row.text in lower:
            return row.verdict
    return Verdict.UNKNOWN


def refusal_in(status: int, body: str, retry_after: str, now_millis: int) -> VenueSaid | None:
    """The refusal that an answer is; None for an answer that is none."""
    try:
        refusal = _refusal.decode(body)
    except msgspec.MsgspecError:
        refusal = None
    if refusal is None and status < HTTPStatus.BAD_REQUEST:
        return None
    if refusal is not None and status < HTTPStatus.BAD_REQUEST and refusal.code >= 0:
        return None  # `{"code": 200, "msg": …}` is how USD-M says that it worked.
    code = refusal.code if refusal is not None else None
    text = refusal.msg if refusal is not None else body
    return VenueSaid(
        verdict_of(status, code, text),
        raw_code=str(code) if code is not None else f"http {status}",
        raw_text=text[:TEXT_MAX],
        retry_after=_seconds(retry_after, text, now_millis),
    )


def _seconds(retry_after: str, text: str, now_millis: int) -> float:
    """How long to wait: the header's seconds, or the end of a ban that the text names."""
    if retry_after.isdecimal():
        return float(retry_after)
    until = UNTIL.search(text)
    return max(0.0, (int(until[1]) - now_millis) / 1000) if until else 0.0


def socket_refusal(status: int, error: Mapping[str, Any], now_millis: int) -> VenueSaid:
    """The refusal that an answer of the WebSocket API is."""
    code, text = int(error.get("code", 0)) or None, str(error.get("msg", ""))
    after = str((error.get("data") or {}).get("retryAfter", ""))
    seconds = max(0.0, (int(after) - now_millis) / 1000) if after.isdecimal() else 0.0
    return VenueSaid(
        verdict_of(status, code, text),
        raw_code=str(code or status),
        raw_text=text[:TEXT_MAX],
        retry_after=seconds or _seconds("", text, now_millis),
    )
