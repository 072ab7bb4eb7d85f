"""How an account's news becomes a market's own events."""

from collections.abc import Callable

from mm.emulator.account import Account
from mm.emulator.binance.streams import Payload
from mm.emulator.orders import Update
from mm.events.account import FundingPaid

Word = Callable[[Account, Update | FundingPaid], list[Payload]]
