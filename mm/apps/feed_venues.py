"""The venues of a market-data service: what they list, asked once and kept for a while.

A symbol may be written as the venue has it (`BTCUSDT`) or as traders do (`BTC/USDT`, and
`BTC/USDT:USDT` for a contract settled in USDT).
"""

import asyncio
from collections.abc import Iterator
from typing import Final, NamedTuple

from mm.errors import ConfigError
from mm.events.instrument import ContractKind, InstrumentDefined
from mm.events.units import SECONDS, Nanos
from mm.events.venue import RateLimited
from mm.gateways.market_port import Frame, MarketPort
from mm.gateways.questions import Outside, Questions
from mm.gateways.venue_feed import FeedSettings, Known, VenueFeed

LISTED_FOR: Final = Nanos(3_600 * SECONDS)


class Listed(NamedTuple):
    """What a venue answered, and when."""

    at: Nanos
    answers: tuple[Frame, ...]


def spellings(symbol: str) -> Iterator[str]:
    """What a venue may call the symbol."""
    yield symbol
    pair = symbol.partition(":")[0]
    if pair != symbol:
        yield pair
    if "/" in pair:
        yield pair.replace("/", "")


def says(symbol: str, found: InstrumentDefined) -> bool:
    """Whether an instrument is what a symbol says in full; a venue's own name says nothing."""
    if symbol == found.symbol:
        return True
    pair, _, settle = symbol.partition(":")
    meant = f"{found.base}/{found.quote}" == pair
    if found.kind is ContractKind.SPOT:
        return meant and not settle
    return meant and settle in {"", found.settle}


class Venue:
    """One venue that is served."""

    def __init__(self, port: MarketPort, outside: Outside, settings: FeedSettings) -> None:
        """Ask nothing yet."""
        self.port = port
        self._outside = outside
        self._settings = settings
        self._questions = Questions(port.venue, outside, self._limited)
        self._listed: Listed | None = None
        self._asking = asyncio.Lock()
        self.limited = ""
        """When and why the venue last limited us."""

    def _limited(self, limited: RateLimited) -> None:
        self.limited = f"{limited.endpoint}: {limited.raw_code}"

    async def find(self, symbol: str) -> Known:
        """The instrument of a symbol, as soon as the venue answers.

        Raises `ConfigError` where there is none, `BadInput` where the answer cannot be read.
        """
        answers = await self._answers()
        for spelling in dict.fromkeys(spellings(symbol)):
            try:
                found = self.port.instruments(answers, (spelling,))
            except ConfigError:
                continue
            if says(symbol, found[0]):
                return Known(found, self.port.closed(answers, found))
        raise ConfigError(
            f"{self.port.venue} lists no {symbol}",
            where="symbol",
            remedy="write it as the venue does, or as BASE/QUOTE",
        )

    async def _answers(self) -> tuple[Frame, ...]:
        async with self._asking:
            at = self._outside.now()
            if self._listed is None or at - self._listed.at > LISTED_FOR:
                asked = [await self._questions.answer(each) for each in self.port.definitions()]
                self._listed = Listed(at, tuple(asked))
            return self._listed.answers

    def feed(self, known: Known) -> VenueFeed:
        """A feed of what was found, that hears nothing yet."""
        return VenueFeed(self.port, self._outside, known, settings=self._settings)
