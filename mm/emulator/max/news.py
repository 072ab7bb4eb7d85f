"""What an account hears on its socket: every change of its orders, its trades, its balances."""

from collections.abc import Callable
from functools import partial
from typing import Final

from mm.emulator.account import Account
from mm.emulator.exchange import Exchange
from mm.emulator.max.calls import millis
from mm.emulator.max.described import (
    WALLETS,
    Payload,
    balance_news,
    encode,
    held,
    order_news,
    trade_news,
)
from mm.emulator.max.desk import Desk
from mm.emulator.orders import Update
from mm.emulator.sockets import Socket
from mm.events.account import FundingPaid

USUAL: Final = ("order", "trade", "account")
FILTERS: Final = frozenset(
    f"{prefix}{name}"
    for prefix in WALLETS.values()
    for name in (*USUAL, "trade_update", "fast_trade_update")
)
SNAPSHOT_TRADES: Final = 100


class Subscription:
    """One client's private channels, of both wallets where both were asked for."""

    def __init__(
        self, exchange: Exchange, desk: Desk, socket: Socket, owner: Account, filters: list[str]
    ) -> None:
        """Tell what stands, and from now on what changes until the socket ends."""
        self._exchange = exchange
        self._socket = socket
        self._filters = frozenset(filters)
        self._held: dict[str, dict[str, tuple[object, object]]] = {}
        for wallet, prefix in WALLETS.items():
            if not any(each in self._filters for each in FILTERS if _is_of(each, prefix)):
                continue
            account = desk.wallet(owner, wallet)
            self._stand(account, prefix)
            listener = partial(self._hear, account, prefix)
            account.listeners.append(listener)
            socket.ended.append(_leaving(account, listener))

    def _wants(self, prefix: str, *names: str) -> bool:
        return any(f"{prefix}{name}" in self._filters for name in names)

    def _tell(self, event: str, body: Payload) -> None:
        frame = {"c": "user", "e": event, **body, "T": millis(self._exchange.now())}
        self._socket.send("user", encode(frame))

    def _stand(self, account: Account, prefix: str) -> None:
        if self._wants(prefix, "order"):
            orders = [order_news(each) for each in account.open()]
            self._tell(f"{prefix}order_snapshot", {"o": orders})
        if self._wants(prefix, "trade"):
            trades = [trade_news(each) for each in account.fills[-SNAPSHOT_TRADES:]]
            self._tell(f"{prefix}trade_snapshot", {"t": trades})
        self._held[prefix] = {**held(account)}
        if self._wants(prefix, "account"):
            at = self._exchange.now()
            rows = [balance_news(unit, *amounts, at) for unit, amounts in held(account).items()]
            self._tell(f"{prefix}account_snapshot", {"B": rows})

    def _hear(self, account: Account, prefix: str, news: Update | FundingPaid) -> None:
        if isinstance(news, FundingPaid):
            return
        if self._wants(prefix, "order"):
            self._tell(f"{prefix}order_update", {"o": [order_news(news.order)]})
        if news.fill is not None:
            said = trade_news(news.fill)
            if self._wants(prefix, "fast_trade_update"):
                fast = {name: each for name, each in said.items() if name not in {"f", "fc", "fd"}}
                self._tell(f"{prefix}fast_trade_update", {"t": [fast]})
            if self._wants(prefix, "trade", "trade_update"):
                self._tell(f"{prefix}trade_update", {"t": [said]})
        self._tell_balances(account, prefix)

    def _tell_balances(self, account: Account, prefix: str) -> None:
        """The balances that changed."""
        before, now = self._held[prefix], held(account)
        self._held[prefix] = {**now}
        at = self._exchange.now()
        rows = [
            balance_news(unit, *amounts, at)
            for unit, amounts in now.items()
            if amounts != before.get(unit)
        ]
        if rows and self._wants(prefix, "account"):
            self._tell(f"{prefix}account_update", {"B": rows})


def _is_of(name: str, prefix: str) -> bool:
    return name.startswith(prefix) if prefix else not name.startswith("mwallet_")


def _leaving(
    account: Account, listener: Callable[[Update | FundingPaid], None]
) -> Callable[[Socket], None]:
    def leave(_socket: Socket) -> None:
        account.listeners.remove(listener)

    return leave
