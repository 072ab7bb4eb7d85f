"""A request as StandX reads it: a query, or a JSON body that was signed."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange, Listing
from mm.emulator.standx.refusals import BAD, Refused, invalid
from mm.events.units import SECONDS, Nanos

TEXT_MAX: Final = 256


class Call(msgspec.Struct, kw_only=True):
    """One request with its parameters; `session` names the stream that hears the outcome."""

    exchange: Exchange
    params: Mapping[str, Any]
    signed_by: Account | None = None
    request_id: str = ""
    session: str = ""

    @property
    def account(self) -> Account:
        """Whose request it is; only where a token was shown."""
        assert self.signed_by is not None, "the endpoint needs no token"
        return self.signed_by

    def text(self, name: str, default: str | None = None) -> str:
        """A text; needed unless there is a default."""
        value = self.params.get(name)
        if value is None or value == "":
            if default is None:
                raise invalid(name)
            return default
        if not isinstance(value, str) or len(value) > TEXT_MAX:
            raise invalid(name)
        return value

    def decimal(self, name: str) -> Decimal | None:
        """A number, which has to stand in a text; None where there is none."""
        text = self.text(name, "")
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise invalid(name) from error
        if not value.is_finite() or value < 0:
            raise invalid(name)
        return value

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        value = self.params.get(name, default)
        text = str(value)
        if isinstance(value, bool) or not (text.isascii() and text.isdecimal()):
            raise invalid(name)
        return int(text)

    def flag(self, name: str) -> bool:
        """True or false; needed."""
        value = self.params.get(name)
        if not isinstance(value, bool):
            raise invalid(name)
        return value

    def time(self, name: str) -> Nanos | None:
        """A moment in ISO 8601."""
        text = self.text(name, "")
        try:
            return Nanos(int(datetime.fromisoformat(text).timestamp() * SECONDS)) if text else None
        except ValueError as error:
            raise invalid(name) from error

    def listing(self) -> Listing:
        """The listing that is named; raises `Refused`."""
        found = self.exchange.listings.get(self.text("symbol"))
        if found is None:
            raise invalid("symbol")
        return found


def parsed(body: str) -> dict[str, Any]:
    """A JSON object; raises `Refused`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(BAD, "malformed body") from error
    if not isinstance(found, dict):
        raise Refused(BAD, "malformed body")
    return found
