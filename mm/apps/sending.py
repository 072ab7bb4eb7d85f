"""Which intents of a turn leave, and in which order: live and in a backtest alike.

Cancels leave first and always. What adds risk stays here when it is too old, and when the engine
faulted in the very turn that decided it: its cancels would be ahead of its orders. Each order that
stays is told of by a fact.
"""

from collections.abc import Iterable
from typing import Final

from mm.events.orders import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    OrderResolved,
    PlaceOrder,
    Resolution,
)
from mm.events.session import EngineFaulted
from mm.events.units import Lots, Nanos
from mm.events.vocabulary import Decision, Intent

TOO_OLD: Final = "not sent: too old by the time the log had it"
FAULTED: Final = "not sent: the engine faulted in the turn that decided it"


def leaving(decisions: Iterable[Decision]) -> list[Intent]:
    """The intents, cancels before anything that adds risk; nothing else ever leaves."""
    intents = [
        decision
        for decision in decisions
        if isinstance(decision, PlaceOrder | AmendOrder | CancelOrder | CancelAll)
    ]
    return sorted(intents, key=_adds_risk)


def has_faulted(decisions: Iterable[Decision]) -> bool:
    """Whether the engine faulted in this turn."""
    return any(isinstance(decision, EngineFaulted) for decision in decisions)


def unsent(intent: Intent, at: Nanos, why: str) -> OrderResolved:
    """Evidence that an intent never left."""
    assert isinstance(intent, PlaceOrder | AmendOrder), "cancels are always sent"
    place = isinstance(intent, PlaceOrder)
    return OrderResolved(
        order_id=intent.order_id,
        instrument=intent.instrument,
        resolution=Resolution.NEVER_ARRIVED if place else Resolution.OPEN,
        filled=Lots(0),
        evidence=why,
        received=at,
        venue_time=Nanos(0),
    )


def _adds_risk(intent: Intent) -> bool:
    return not isinstance(intent, CancelOrder | CancelAll)
