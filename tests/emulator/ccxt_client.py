"""A ccxt.pro client of the emulator, as it ships: only its session is ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

from mm.emulator.server import Front
from tests.emulator.venue import KEYS, reached


@asynccontextmanager
async def client(kind: Any, front: Front, market: str) -> AsyncIterator[Any]:
    """One of ccxt's classes, for one kind of market."""
    async with reached(front) as there:
        venue = kind({"session": there.session, **settings(market)})
        try:
            yield venue
        finally:
            await venue.close()


def settings(market: str) -> dict[str, Any]:
    """Keys, no limiter of its own, and no more questions at the start than are needed."""
    return {
        "apiKey": KEYS.key,
        "secret": KEYS.secret,
        "enableRateLimit": False,
        "options": {
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchMarkets": {"types": [market]},
        },
    }


def spot_client(front: Front) -> Any:
    """Of Binance spot."""
    return client(ccxt.pro.binance, front, "spot")


def usdm_client(front: Front) -> Any:
    """Of Binance USD-M."""
    return client(ccxt.pro.binanceusdm, front, "linear")
