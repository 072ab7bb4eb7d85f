"""NautilusTrader 2.0 (Rust core) as a contestant: one run in a process of its own, one JSON line.

Workloads: `maker` is asked by a timer every 100 ms, `events` is called back on all market data,
`none` subscribes to nothing. Its venue has its own rules, so fills differ from the others': a due
command waits for the next data or timer, fills are heard at once, and by default a resting order
fills whatever is ahead of it; `--queue-position` makes it wait its turn. Latency delays commands
only. Inventory is counted in whole lots, and the cash of its fills as the others count it.

    python -m benchmarks.peers.nautilus maker --events FILE
"""

import argparse
import math
import time
from decimal import Decimal
from typing import Any

STARTED = time.perf_counter()

import numpy as np  # noqa: E402 - the imports are a phase of their own.
from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig  # noqa: E402
from nautilus_trader.common import LoggerConfig, LogLevel  # noqa: E402
from nautilus_trader.execution import MakerTakerFeeModel, StaticLatencyModel  # noqa: E402
from nautilus_trader.model import (  # noqa: E402
    AccountType,
    BookType,
    CryptoPerpetual,
    Currency,
    Money,
    OmsType,
    OrderSide,
    Price,
    Quantity,
    StrategyId,
)
from nautilus_trader.trading import Strategy, StrategyConfig  # noqa: E402

from benchmarks.peers.events import STEP_NS, first_step  # noqa: E402
from benchmarks.peers.measure import Outcome, Stopwatch, arguments, report  # noqa: E402
from benchmarks.peers.nautilus_data import batched, instrument, wrangled  # noqa: E402

IMPORTED = time.perf_counter() - STARTED
FUNDS = 100_000_000


class Accounting(Strategy):
    """What both strategies share: settings, and an account of their fills.

    Its extension type builds a strategy, so that settings arrive after it.
    """

    def settle(self, traded: CryptoPerpetual, asked: argparse.Namespace, first: int) -> None:
        """Take the settings, before the engine starts."""
        self.traded, self.asked, self.first = traded, asked, first
        self.tick, self.lot = float(asked.tick), float(asked.lot)
        self.quantity = Quantity(asked.qty * self.lot, traded.size_precision)
        self.outcome = Outcome()
        self.net = 0
        self.above = 0

    def on_order_filled(self, event: Any) -> None:
        """A fill, or a part of one."""
        size = event.last_qty.as_double()
        signed = size if event.order_side == OrderSide.BUY else -size
        self.net += round(signed / self.lot)
        self.outcome.fills += 1
        self.outcome.balance -= signed * event.last_px.as_double()
        self.outcome.fee += event.commission.as_double()

    def place(self, side: OrderSide, ticks: int) -> Any:
        """Send a post-only order; its id."""
        price = Price(ticks * self.tick, self.traded.price_precision)
        order = self.order_factory.limit(self.traded.id, side, self.quantity, price, post_only=True)
        self.submit_order(order)
        self.outcome.orders += 1
        return order.client_order_id


class Maker(Accounting):
    """One post-only bid and ask around the mid, leaning against inventory, every step."""

    def on_start(self) -> None:
        """Follow the book, and be asked on the grid of absolute time."""
        self.live: dict[OrderSide, tuple[Any, int] | None] = {}
        self.subscribe_book_deltas(self.traded.id, BookType.L2_MBP, managed=True)
        self.clock.set_timer_ns(
            "quote",
            STEP_NS,
            start_time_ns=self.first,
            callback=self.on_step,
            fire_immediately=True,
        )

    def on_step(self, event: Any) -> None:
        """Quote; without a two-sided book do nothing."""
        if self.outcome.steps == 0:
            assert event.ts_event == self.first, f"{event.ts_event} is not {self.first}"
        self.outcome.steps += 1
        top = self.cache.top_of_book(self.traded.id)
        if top is None:
            return
        asked, net = self.asked, self.net
        bid, ask = round(top[0].as_double() / self.tick), round(top[2].as_double() / self.tick)
        fair = 0.5 * (bid + ask) - asked.skew * net / asked.qty
        lower = min(math.floor(fair - asked.half), bid)
        upper = max(math.ceil(fair + asked.half), ask)
        self.work(OrderSide.BUY, lower, wanted=net < asked.max_position)
        self.work(OrderSide.SELL, upper, wanted=-net < asked.max_position)

    def work(self, side: OrderSide, target: int, *, wanted: bool) -> None:
        """Bring one side's order to its target; what is on its way to the venue is left alone."""
        known = self.live.get(side)
        resting = known is not None and not self.cache.is_order_closed(known[0])
        if known is not None and resting and (known[1] != target or not wanted):
            order = known[0]
            if self.cache.is_order_open(order) and not self.cache.is_order_pending_cancel_local(
                order
            ):
                self.cancel_order(order)
                self.outcome.cancels += 1
                resting = False
        if wanted and not resting:
            self.live[side] = (self.place(side, target), target)


class EveryEvent(Accounting):
    """Called back on all market data: mid and microprice, and once in a while a new bid."""

    def on_start(self) -> None:
        """Follow the book and the prints."""
        self.ours: Any = None
        self.subscribe_book_deltas(self.traded.id, BookType.L2_MBP, managed=True)
        self.subscribe_trades(self.traded.id)

    def on_trade(self, _trade: Any) -> None:
        """A print."""
        self.outcome.steps += 1

    def on_book_deltas(self, _deltas: Any) -> None:
        """The book changed."""
        self.outcome.steps += 1
        top = self.cache.top_of_book(self.traded.id)
        if top is None:
            return
        bid, bids, ask, asks = (each.as_double() for each in top)
        if (bid * asks + ask * bids) / (bids + asks) > 0.5 * (bid + ask):
            self.above += 1
        if self.outcome.steps % self.asked.requote == 0:
            if self.ours is not None and self.cache.is_order_open(self.ours):
                self.cancel_order(self.ours)
                self.outcome.cancels += 1
            self.ours = self.place(OrderSide.BUY, round(bid / self.tick) - 5)


def opened(traded: CryptoPerpetual, asked: argparse.Namespace) -> BacktestEngine:
    """An engine with the venue as configured, its log silent."""
    silent = LoggerConfig(stdout_level=LogLevel.OFF, bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(logging=silent, run_analysis=False))
    engine.add_venue(
        venue=traded.id.venue,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(FUNDS, Currency.from_str("USDT"))],
        book_type=BookType.L2_MBP,
        queue_position=asked.queue_position,
        fee_model=MakerTakerFeeModel(Decimal("-0.00005"), Decimal("0.0004")),
        latency_model=StaticLatencyModel(asked.entry_ns),
    )
    engine.add_instrument(traded)
    return engine


def strategy(traded: CryptoPerpetual, asked: argparse.Namespace, first: int) -> Accounting | None:
    """What is to trade, if anything."""
    if asked.workload == "none":
        return None
    kind = Maker if asked.workload == "maker" else EveryEvent
    made = kind(StrategyConfig(strategy_id=StrategyId("PEER-1")))
    made.settle(traded, asked, first)
    return made


def account(trader: Accounting | None) -> Outcome:
    """What the run came to."""
    if trader is None:
        return Outcome()
    trader.outcome.position = trader.net * trader.lot
    return trader.outcome


def options() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = arguments(__doc__, ("maker", "events", "none"))
    parser.add_argument("--batch", action="store_true", help="one object a message")
    parser.add_argument("--queue-position", action="store_true", help="orders wait their turn")
    return parser.parse_args()


def main() -> None:
    """Read, wrangle, play, report."""
    asked = options()
    watch = Stopwatch(wall={"import": IMPORTED})
    traded = instrument(Decimal(asked.tick), Decimal(asked.lot))
    with watch("read"):
        events = np.load(asked.events, mmap_mode="r")[: asked.limit]
    with watch("wrangle"):
        data = (batched if asked.batch else wrangled)(events, traded)
    with watch("build"):
        engine = opened(traded, asked)
        engine.add_data(data)
        del data
        trader = strategy(traded, asked, first_step(events))
        if trader is not None:
            engine.add_strategy(trader)
    with watch("run"):
        engine.run()
    report(len(events), watch, account(trader), ("nautilus_trader", "numpy", "pyarrow"))


if __name__ == "__main__":
    main()
