"""Everything the compiled pass remembers, as arrays: markets, desks, orders, wires, results.

One `World` is one run: Python allocates it and fills in what is fixed, the pass changes the rest in
place. An order lives in a slot from the decision to place it until we have heard how it ended;
`state` and what follows it are how the venue sees the order, the fields before how we do. Side 0 is
bids, 1 asks; `sign` is +1 to buy, -1 to sell, as in `Side`.
"""

from typing import Any, Final

import numpy as np

from mm.log.rows import ROW
from mm.projections.compiled import calling, inner, laying, word_of
from mm.sim.results import FILL, ORDER, POINT

SLOTS: Final = 1 << 10
"""Orders that are alive at once, ours and the venue's view together."""
QUEUE_MAX: Final = SLOTS
WIRE: Final = 1 << 12
LEVELS_MAX: Final = 32
WANTED_WIDTH: Final = 2 * LEVELS_MAX
SENT_MAX: Final = 1 << 10
TAKEN_MAX: Final = 1 << 14
TAKEN_WIDTH: Final = 4
NUMBERS: Final = 16
FAR_AWAY: Final = 1 << 62
"""A time that never comes, and to which a little may be added."""

MARKET: Final = np.dtype(
    [
        ("bid", "<i8"),
        ("bid_size", "<i8"),
        ("ask", "<i8"),
        ("ask_size", "<i8"),
        ("was_bid", "<i8"),  # Before the quote under way.
        ("was_bid_size", "<i8"),
        ("was_ask", "<i8"),
        ("was_ask_size", "<i8"),
        ("updated", "<i8"),
        ("down", "<u8"),  # A bit for each channel that is down.
        ("has_depth", "u1"),
        ("has_quote", "u1"),
        ("lost", "u1"),  # 1: until a snapshot comes, 2: until the feed says that it is whole.
        ("stirred", "u1"),  # The touch may not be the best of the depth any more.
        ("hit", "u1"),  # The event under way spoke of a level where an order of ours may stand.
        ("pad", "u1", 3),
    ]
)
"""What a book shows, as we see it and, further on, as the venue does; 0 where nothing is shown."""

INSTRUMENT: Final = np.dtype(
    [
        ("price_min", "<i8"),
        ("price_max", "<i8"),  # 0: any.
        ("size_min", "<i8"),
        ("size_max", "<i8"),  # 0: any.
        ("size_step", "<i8"),
        ("inverse", "<i8"),
        # Bounds on notional as `InstrumentDefined.bound` has them.
        ("least_by", "<i8"),
        ("least", "<i8"),
        ("most_by", "<i8"),
        ("most", "<i8"),
        ("order_size_max", "<i8"),
        ("position_max", "<i8"),
        ("open_orders_max", "<i8"),
        ("collar_bps", "<i8"),
        ("rate_max", "<i8"),
        ("lot_size", "<f8"),
        ("tick_size", "<f8"),
        ("queue_n", "<f8"),  # What the queue model takes as `n`.
        # How the present orders stand.
        ("net", "<i8"),  # Of fills heard.
        ("held", "<i8"),  # Of fills made: the venue's view.
        ("sent_from", "<i8"),
        ("sent_to", "<i8"),
        ("taken", "<i8"),  # Prices of which we took something.
        # Where our orders stand at the venue: best and worst price of each side, as keys.
        ("bid_near", "<i8"),
        ("bid_far", "<i8"),
        ("ask_near", "<i8"),
        ("ask_far", "<i8"),
        ("watched_by", "<i8"),  # Desks that what the market does may wake.
    ]
)
_NEAR, _FARTHEST = (word_of(INSTRUMENT, name) for name in ("bid_near", "bid_far"))
NEAR: Final[Any] = np.int64(_NEAR)
FARTHEST: Final[Any] = np.int64(_FARTHEST)
"""Where `standing` has the best and the worst of our bids; those of asks are two further on."""
REVISION: Final = np.dtype(
    [
        ("price_min", "<i8"),
        ("price_max", "<i8"),
        ("size_min", "<i8"),
        ("size_max", "<i8"),
        ("size_step", "<i8"),
        ("least_by", "<i8"),
        ("least", "<i8"),
        ("fills", "<i8"),  # How many there were when it came to hold; -1: it does not yet.
        ("heard", "<i8"),  # In this turn: desks are to be told.
    ]
)
"""A later definition of an instrument: what the venue checks by it."""
DESK: Final = np.dtype(
    [
        ("instrument", "<i8"),
        ("rule", "<i8"),  # 0: Python decides; else see `rules`.
        ("timer", "<i8"),
        ("deadline", "<i8"),
        ("near", "<i8"),  # Own quotes are watched at less than so many ticks; 0: they are not.
        ("near_bid", "<i8"),  # What was best when that was last looked at, as keys.
        ("near_ask", "<i8"),
        ("moved_bps", "<f8"),
        ("asked_mid", "<f8"),
        ("asked_bid", "<i8"),
        ("asked_ask", "<i8"),
        ("net", "<i8"),
        ("live", "<i8"),
        ("bids", "<i8"),
        ("asks", "<i8"),
        ("settled", "u1"),  # What rests is what is wanted; asking for the same changes nothing.
        ("top_changed", "u1"),
        ("own_orders", "u1"),
        ("awake", "u1"),
        ("when_changed", "u1"),
        ("amends", "u1"),  # An order that is to move is amended.
        ("every_event", "u1"),
        ("news", "u1"),  # Something happened to an order since it was asked.
        ("book_age_max", "<i8"),  # 0: a book may be as old as it is.
        ("take_sign", "<i8"),
        ("take_price", "<i8"),
        ("take_size", "<i8"),
        ("fair", "<f8"),
        ("anchored", "<i8"),
        ("anchor_net", "<i8"),
    ]
)
SLOT: Final = np.dtype(
    [
        ("id", "<i8"),
        ("desk", "<i8"),
        ("instrument", "<i8"),
        ("sign", "<i8"),
        ("level", "<i8"),
        ("price_heard", "<i8"),  # As far as we have heard: an amend may have changed them since.
        ("size_heard", "<i8"),
        ("heard", "<i8"),  # Lots filled, as far as we have heard.
        ("status", "<i8"),
        ("amend_price", "<i8"),  # What an unanswered amend asks for; 0: there is none.
        ("amend_size", "<i8"),
        ("serves", "<i8"),  # The level it serves, from 1; 0: none; MOVES: it is to be amended.
        ("tif", "<i8"),
        ("market", "<i8"),  # At any price.
        ("post_only", "<i8"),
        ("reduce_only", "<i8"),
        ("unfunded", "<i8"),  # Whoever sends it knows that too little is free.
        ("state", "<i8"),
        ("price", "<i8"),
        ("size", "<i8"),
        ("filled", "<i8"),
        ("front", "<f8"),
        ("traded", "<f8"),
        ("shown", "<i8"),  # What the level showed when it last spoke of this order's price.
        ("listed", "<i8"),
        ("open", "<i8"),
    ]
)
MESSAGE: Final = np.dtype(
    [
        ("arrival", "<i8"),
        ("kind", "<i8"),
        ("slot", "<i8"),
        ("id", "<i8"),
        ("instrument", "<i8"),
        ("price", "<i8"),
        ("size", "<i8"),  # Of a canceled order: what was filled of it.
        ("reason", "<i8"),  # See `reasons`; of a fill, 1 where it took.
        ("at", "<i8"),  # When the venue said so.
    ]
)
LATENCY: Final = np.dtype(
    [
        ("least", "<i8"),
        ("most", "<i8"),
        ("first", "<i8"),  # Where its sample, or its round trips, begin among `delays`,
        ("count", "<i8"),  # and how many there are; 0: uniform between the two.
    ]
)
"""One way of messages: how long they take, in nanoseconds."""
WAYS: Final = 5
"""Placing, canceling, canceling all, amending, and answers."""
CLOCK: Final = np.dtype(
    [
        ("at", "<i8"),
        ("i", "<i8"),  # The next row that reaches us.
        ("j", "<i8"),  # The next row at the venue, where that has a clock of its own.
        ("first_row", "<i8"),  # The number of row 0 of the present block in the whole recording.
        ("orders", "<i8"),
        ("fills", "<i8"),
        ("heard", "<i8"),  # Of how many fills we have.
        ("points", "<i8"),
        ("point_every", "<i8"),
        ("point_due", "<i8"),
        ("free", "<i8"),
        ("entry", "<i8"),
        ("response", "<i8"),
        ("step", "<i8"),  # How often takers come by chance; 0: only the feed fills.
        ("step_due", "<i8"),  # When they come next; far away while nothing rests.
        ("step_seconds", "<f8"),
        ("arrival_rate", "<f8"),
        ("arrival_decay", "<f8"),
        ("doubts", "<i8"),  # The venue would not cancel an order that is not known to be over.
        ("varies", "<i8"),  # Whether these two are not all there is to latency; see `transit`.
        ("seed", "<i8"),
        ("command_from", "<i8"),
        ("command_to", "<i8"),
        ("command_last", "<i8"),
        ("command_turn", "<i8"),  # The last turn in which any left,
        ("command_first", "<i8"),  # and the first of that turn,
        ("command_before", "<i8"),  # before which none arrives that was sent in it.
        ("response_from", "<i8"),
        ("response_to", "<i8"),
        ("response_last", "<i8"),
        ("pending", "<i8"),  # Something was sent and not yet told.
        ("two_clocks", "<i8"),
        ("owed", "<i8"),  # The turn before had no room for answers.
        ("gathers", "<i8"),  # What arrives once a turn's first message has, is heard in that turn.
        ("whole", "<i8"),  # Fills in full, as hftbacktest has it, instead of shared volume.
        ("queue", "<i8"),
        ("open", "<i8"),
        ("open_max", "<i8"),
        ("awake", "<i8"),  # Some desk is.
        ("cancels", "<i8"),
        ("amends", "<i8"),
        ("turns", "<i8"),
        ("events", "<i8"),
        ("refused", "<i8"),
        ("stopping", "<i8"),
        ("failed", "<i8"),  # A strategy raised; Python holds the exception.
        ("asks", "<i8"),  # How often strategies that are Python objects were.
        ("every_event", "<i8"),  # Some desk wants each.
        ("revised", "<i8"),  # Desks are to be told of revisions before they are asked.
        ("rare", "<i8"),  # Up to this row something wakes desks that watch no prices.
    ]
)


_COUNTS: Any = tuple(np.int64(place) for place in range(32, 40))
BOOKS, INSTRUMENTS, DESKS, ROWS, ORDERS, FILLS, POINTS, REVISIONS = _COUNTS
"""Where the table of addresses tells how many there are of each."""
SELF, INTEGERS, REVISED, ANSWERING = 24, 25, 26, 27
"""Where it tells its own address, where the integers of rules are, revisions, and the Python
functions that answer for strategies."""
GIVEN, HANDED = 30, 31
"""Where it tells what these functions were given last, as numbers and as Python objects."""
LATENCIES, DELAYS = 28, 29
"""Where it tells how long messages take."""
TABLE: Final = 64


table = laying(SELF, np.int64)
"""The table itself, whose own address it holds."""


@inner
def count_of(m: int, what: int) -> Any:
    """How many there are of something; see the names above."""
    return table(m)[what]


@inner
def desk_count(m: int) -> Any:
    """How many desks there are."""
    return table(m)[DESKS]


@inner
def instrument_count(m: int) -> Any:
    """How many instruments there are."""
    return table(m)[INSTRUMENTS]


markets = laying(5, MARKET)
"""What each book shows."""
instruments = laying(6, INSTRUMENT)
"""Rules, limits and positions; by book, the rules that its venue checks by."""
standing = laying(6, np.int64, INSTRUMENT.itemsize // 8)
"""The same, as integers, to be chosen from by side."""
desks = laying(7, DESK)
"""One for each strategy at work."""
real = laying(8, np.float64, NUMBERS)
"""The parameters of compiled rules that are floats."""
integers = laying(INTEGERS, np.int64, NUMBERS)
"""The parameters of compiled rules that are integers."""
wanted = laying(9, np.int64, WANTED_WIDTH)
"""By desk, bids and asks as price, size …, nearest first, and two rows to write new ones."""
slots = laying(10, SLOT)
"""Live orders."""
free_slots = laying(11, np.int64)
"""A stack of slots that are free."""
live = laying(12, np.int64, SLOTS)
"""By desk: the slots of its live orders, oldest first."""
queues = laying(13, np.int64, QUEUE_MAX)
"""Two rows for each instrument, bids and asks: slots of what rests, best first, then oldest."""
queued = laying(14, np.int64, 2)
"""How many rest."""
commands = laying(15, MESSAGE)
"""A ring of commands on their way to the venue."""
responses = laying(16, MESSAGE)
"""A ring of answers on their way to us."""
sent = laying(17, np.int64, SENT_MAX)
"""By instrument: a ring of the times at which messages left."""
taken_lots = laying(18, np.int64, TAKEN_WIDTH)
"""TAKEN_MAX rows for each instrument: side, price, lots, spoken of."""
clocks = laying(19, CLOCK)
"""The one row of counters and times."""
orders = laying(20, ORDER)
"""Every order of the run."""
fills = laying(21, FILL)
"""Every fill of the run."""
points = laying(22, POINT)
"""Samples of positions."""
latencies = laying(LATENCIES, LATENCY)
"""How long each kind of command takes, and answers."""
delays = laying(DELAYS, np.int64, sliced=True)
"""Samples of delays, or the columns of round trips, one after the other."""
rows_of = laying(23, ROW)
"""The present block of rows."""
block = laying(23, ROW, sliced=True)
"""The same, to be written."""
revisions = laying(REVISED, REVISION)
"""Later definitions of instruments, as rows name them."""
answered = calling(ANSWERING, GIVEN, HANDED)
"""What Python says for a desk: see `asking.Asked.answer`."""
