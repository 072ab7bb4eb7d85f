"""Frames of MAX as the tests need them, built from what they are to say."""

import json
from typing import Any

from mm.events.instrument import InstrumentDefined
from mm.gateways.market_port import Frame
from mm.gateways.venues.max.listing import instruments
from mm.gateways.venues.max.market import MaxParser

START = 1_700_000_000_000_000_000
MILLIS = START // 1_000_000
CHANNEL = "public-1"
VERSION = 7


def frame(body: Any, received: int = START, channel: str = CHANNEL) -> Frame:
    """A frame that says it."""
    return Frame(received, channel, json.dumps(body).encode())  # type: ignore[arg-type]


def listed(**changes: Any) -> Frame:
    """The list of markets, with one in it."""
    row = {
        "id": "usdttwd",
        "status": "active",
        "base_unit": "usdt",
        "base_unit_precision": 2,
        "min_base_amount": 8.0,
        "quote_unit": "twd",
        "quote_unit_precision": 3,
        "min_quote_amount": 250.0,
        "m_wallet_supported": True,
    }
    return frame([row | changes], channel="markets")


def dollar(**changes: Any) -> InstrumentDefined:
    """USDT in TWD: tick 0.001, lot 0.01."""
    (found,) = instruments("max", (listed(**changes),), ("usdttwd",))
    return found


def parser() -> MaxParser:
    """A parser whose connection stands."""
    made = MaxParser((dollar(),))
    made.connected(CHANNEL, START)  # type: ignore[arg-type]
    return made


def book(
    event: str,
    first: int,
    last: int,
    bids: list[list[str]] | None = None,
    asks: list[list[str]] | None = None,
    **changes: Any,
) -> Frame:
    """A frame of the book."""
    body = {"c": "book", "e": event, "M": "usdttwd", "T": MILLIS, "v": VERSION}
    levels = {"a": asks or [], "b": bids or []}
    return frame({**body, **levels, "fi": first, "li": last, **changes})


def whole(last: int = 10, **changes: Any) -> Frame:
    """A snapshot with two levels a side."""
    return book(
        "snapshot",
        last,
        last,
        [["31.500", "100"], ["31.499", "50"]],
        [["31.502", "10"], ["31.503", "20"]],
        **changes,
    )
