"""What MAX's refusals mean: one closed table, by raw code, then by text.

No list of codes is published for the third version of its interface: the rows are those that its
documents show, and those that clients of the second version have known. The first row that fits
decides. A code in no row has an unknown outcome, and so has every answer that is none of the
venue's own; HTTP status alone decides only where something in front of the venue refused.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

import msgspec

from mm.gateways.verdicts import VenueSaid, Verdict

_V = Verdict
TEXT_MAX: Final = 200


class Row(NamedTuple):
    """A code, what its text contains (lower case; empty: any), and what that means."""

    code: int
    text: str
    verdict: Verdict


ROWS: Final = (
    Row(1001, "client_oid has already", _V.DUPLICATE_ID),
    Row(1001, "client_oid has been", _V.DUPLICATE_ID),
    Row(1001, "", _V.INVALID_ORDER),
    Row(2002, "volume too small", _V.SIZE_TOO_SMALL),
    Row(2002, "cannot lock", _V.NO_FUNDS),
    Row(2002, "client_oid", _V.DUPLICATE_ID),
    Row(2002, "", _V.UNKNOWN),
    Row(2003, "", _V.ORDER_NOT_FOUND),
    Row(2004, "", _V.ORDER_NOT_FOUND),
    Row(2005, "", _V.NOT_PERMITTED),
    Row(2006, "", _V.CLOCK_SKEW),
    Row(2007, "", _V.CLOCK_SKEW),
    Row(2008, "", _V.NOT_PERMITTED),
    Row(2009, "", _V.NOT_PERMITTED),
    Row(2011, "", _V.NOT_PERMITTED),
    Row(2014, "", _V.NOT_PERMITTED),
    Row(2015, "", _V.NOT_PERMITTED),
    Row(2016, "", _V.NOTIONAL_TOO_SMALL),
    Row(2018, "", _V.NO_FUNDS),
    Row(4000, "", _V.ORDER_NOT_FOUND),
    Row(404, "", _V.ORDER_NOT_FOUND),
    Row(4002, "", _V.NOT_PERMITTED),
)
STATUSES: Final[Mapping[int, Verdict]] = {
    401: _V.NOT_PERMITTED,
    403: _V.RATE_LIMITED,  # The firewall in front of everything that could act.
    418: _V.BANNED,
    429: _V.BANNED,  # The address is banned by it, until the time that the header names.
    451: _V.NOT_PERMITTED,
}
SOCKET_CODES: Final[Mapping[str, Verdict]] = {
    "E-1004": _V.INVALID_ORDER,
    "E-1005": _V.INVALID_ORDER,
    "E-1006": _V.CLOCK_SKEW,
    "E-1007": _V.NOT_PERMITTED,
    "E-1012": _V.CLOCK_SKEW,
}
"""What a socket says to an attempt to let an account's news come over it."""


class Error(msgspec.Struct):
    """What was wrong."""

    code: int
    message: str = ""


class Refusal(msgspec.Struct):
    """The body of a refusal."""

    error: Error


_refusal: Final = msgspec.json.Decoder(Refusal)


def verdict_of(code: int, text: str) -> Verdict:
    """What a code and its text mean."""
    lower = text.lower()
    for row in ROWS:
        if row.code == code and row.text in lower:
            return row.verdict
    return Verdict.UNKNOWN


def refusal_in(status: int, body: bytes, wait: float) -> VenueSaid | None:
    """The refusal that an answer is; None for an answer that is none."""
    try:
        error = _refusal.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        error = None
    if error is not None and status not in {418, 429}:
        verdict, code = verdict_of(error.code, error.message), str(error.code)
    elif status == HTTPStatus.OK:
        return None
    else:
        verdict, code = STATUSES.get(status, Verdict.UNKNOWN), f"http {status}"
    text = body.decode(errors="replace") if error is None else error.message
    return VenueSaid(verdict, raw_code=code, raw_text=text[:TEXT_MAX], retry_after=wait)


def socket_refusal(errors: list[str], where: str) -> VenueSaid:
    """The refusal that an error on a socket is."""
    text = "; ".join(errors)
    code = text.partition(":")[0]
    verdict = SOCKET_CODES.get(code, Verdict.UNKNOWN)
    return VenueSaid(verdict, raw_code=code[:20], raw_text=text[:TEXT_MAX], where=where)
