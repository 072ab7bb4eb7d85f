"""What Binance allows a client: request weight by the minute, orders by the clock, then a ban.

All clients of an emulator come from one address, so they share one budget, as processes on one
machine do there. Windows begin at whole multiples of their length.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mm.emulator.binance.public import millis
from mm.emulator.binance.refusals import Refused
from mm.emulator.exchange import Exchange
from mm.events.units import SECONDS, Nanos

MINUTE: Final = Nanos(60 * SECONDS)
LENGTHS: Final = {"SECOND": Nanos(SECONDS), "MINUTE": MINUTE, "DAY": Nanos(86_400 * SECONDS)}
LETTERS: Final = {"SECOND": "S", "MINUTE": "M", "DAY": "D"}
IGNORED_MAX: Final = 10
"""Requests after the first 429 of a window; the next one is banned for."""
BAN: Final = Nanos(120 * SECONDS)
SOCKETS: Final = "Please use WebSocket Streams for live updates to avoid"


class Window(msgspec.Struct, kw_only=True):
    """How much was used of one limit; changes in place."""

    kind: str
    interval: str
    count: int
    limit: int
    began: int = -1
    used: int = 0
    peak: int = 0

    @property
    def length(self) -> Nanos:
        """How long a window is."""
        return Nanos(LENGTHS[self.interval] * self.count)

    @property
    def header(self) -> str:
        """Its name at the end of a header."""
        return f"{self.count}{LETTERS[self.interval]}"

    def turn(self, now: Nanos) -> None:
        """A new window may have begun."""
        began = now // self.length
        if began != self.began:
            self.began, self.used = began, 0

    def add(self, used: int) -> None:
        """Use so much."""
        self.used += used
        self.peak = max(self.peak, self.used)

    def left(self, now: Nanos) -> int:
        """Seconds until it begins anew, rounded up."""
        return -((now % self.length - self.length) // SECONDS)


class Limits:
    """One market's; changes in place. `enforced` can be taken off for other tests."""

    def __init__(self, exchange: Exchange, rules: Sequence[dict[str, Any]]) -> None:
        """Nothing was used."""
        self.enforced = True
        self._exchange = exchange
        self._windows = [
            Window(
                kind=rule["rateLimitType"],
                interval=rule["interval"],
                count=rule["intervalNum"],
                limit=rule["limit"],
            )
            for rule in rules
        ]
        self._ignored = 0
        self._banned_until = Nanos(0)

    def of(self, kind: str) -> list[Window]:
        """The windows of a kind, as they stand now."""
        now = self._exchange.now()
        found = [window for window in self._windows if window.kind == kind]
        for window in found:
            window.turn(now)
        return found

    def admit(self, weight: int) -> None:
        """Count a request; raises `Refused` where it is one too many."""
        now = self._exchange.now()
        if self.enforced and now < self._banned_until:
            raise self._banned(now)
        for window in self.of("RAW_REQUESTS"):
            window.add(1)
        (window,) = self.of("REQUEST_WEIGHT")
        if window.used == 0:
            self._ignored = 0
        window.add(weight)
        if not self.enforced or window.used <= window.limit:
            return
        self._ignored += 1
        if self._ignored > IGNORED_MAX:
            self._banned_until = Nanos(now + BAN)
            raise self._banned(now)
        text = f"{window.limit} request weight per {window.count} {window.interval}"
        refused = Refused(
            -1003,
            f"Too much request weight used; current limit is {text}. {SOCKETS} polling the API.",
            status=429,
        )
        refused.headers["Retry-After"] = str(window.left(now))
        raise refused

    def _banned(self, now: Nanos) -> Refused:
        until = millis(self._banned_until)
        text = f"Way too much request weight used; IP banned until {until}. {SOCKETS} bans."
        refused = Refused(-1003, text, status=418)
        refused.headers["Retry-After"] = str(-((now - self._banned_until) // SECONDS))
        return refused

    def admit_orders(self, count: int) -> None:
        """Whether so many more orders may be placed; raises `Refused`."""
        now = self._exchange.now()
        for window in self.of("ORDERS"):
            if count and self.enforced and window.used + count > window.limit:
                text = f"{window.limit} orders per {window.count} {window.interval}"
                refused = Refused(
                    -1015, f"Too many new orders; current limit is {text}.", status=429
                )
                refused.headers["Retry-After"] = str(window.left(now))
                raise refused

    def placed(self, count: int) -> None:
        """So many orders were placed."""
        for window in self.of("ORDERS"):
            window.add(count)

    def headers(self, orders: int) -> dict[str, str]:
        """What every answer tells, and the answer to an order besides."""
        (window,) = self.of("REQUEST_WEIGHT")
        told = {
            "X-MBX-USED-WEIGHT": str(window.used),
            f"X-MBX-USED-WEIGHT-{window.header}": str(window.used),
        }
        if orders:
            windows = self.of("ORDERS")
            told |= {f"X-MBX-ORDER-COUNT-{w.header}": str(w.used) for w in windows}
        return told

    def told(self, orders: int) -> list[dict[str, Any]]:
        """The same beside an answer of the WebSocket API."""
        kinds = ("REQUEST_WEIGHT", "ORDERS") if orders else ("REQUEST_WEIGHT",)
        return [
            {
                "rateLimitType": window.kind,
                "interval": window.interval,
                "intervalNum": window.count,
                "limit": window.limit,
                "count": window.used,
            }
            for kind in kinds
            for window in self.of(kind)
        ]

    def usage(self) -> dict[str, dict[str, int]]:
        """Used now, used at most in any window, and allowed, by limit."""
        return {
            f"{window.kind} {window.header}": {
                "used": window.used,
                "peak": window.peak,
                "limit": window.limit,
            }
            for kind in dict.fromkeys(w.kind for w in self._windows)
            for window in self.of(kind)
        }
