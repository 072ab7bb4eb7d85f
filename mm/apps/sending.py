"""In which order the intents of one turn leave: live and in a backtest alike."""

from mm.events.orders import CancelAll, CancelOrder
from mm.events.vocabulary import Intent


def places_last(intent: Intent) -> bool:
    """The sort key that lets cancels leave before anything that adds risk."""
    return not isinstance(intent, CancelOrder | CancelAll)
