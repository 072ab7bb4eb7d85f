"""Which intents of a turn leave, and in which order: live and in a backtest alike."""

from collections.abc import Iterable

from mm.events.orders import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from mm.events.vocabulary import Decision, Intent


def leaving(decisions: Iterable[Decision]) -> list[Intent]:
    """The intents, cancels before anything that adds risk; nothing else ever leaves."""
    intents = [
        decision
        for decision in decisions
        if isinstance(decision, PlaceOrder | AmendOrder | CancelOrder | CancelAll)
    ]
    return sorted(intents, key=_adds_risk)


def _adds_risk(intent: Intent) -> bool:
    return not isinstance(intent, CancelOrder | CancelAll)
