"""Round trips of a session, from its own log: what its orders took there and back.

A command leaves at its turn's time; the answer carries the venue's time and when we received it.
An order that the venue never stamped (no time, or one before it was sent: another clock) is left
out. As round trips they are interpolated in time; as samples, drawn from.
"""

from collections.abc import Iterable

from mm.events.orders import OrderAcked, PlaceOrder
from mm.events.turn import Turn
from mm.events.units import Nanos, OrderId
from mm.sim.settings import Measured, Sampled, Trip


def round_trips(turns: Iterable[Turn]) -> Measured:
    """When each placed order was sent, reached the venue, and was heard to have, by time sent."""
    sent: dict[OrderId, Nanos] = {}
    trips: list[Trip] = []
    for turn in turns:
        for fact in turn.facts:
            if isinstance(fact, OrderAcked) and fact.order_id in sent:
                trip = (sent.pop(fact.order_id), fact.venue_time, fact.received)
                if trip[0] <= trip[1] <= trip[2]:
                    trips.append(trip)
        for decision in turn.decisions:
            if isinstance(decision, PlaceOrder):
                sent[decision.order_id] = turn.at
    return Measured(tuple(_in_order(sorted(trips))))


def _in_order(trips: list[Trip]) -> list[Trip]:
    """Without those whose arrival is before that of one sent earlier: no wire does that."""
    kept: list[Trip] = []
    for trip in trips:
        if not kept or trip[1] >= kept[-1][1]:
            kept.append(trip)
    return kept


def samples(measured: Measured) -> tuple[Sampled, Sampled]:
    """The delays there and the delays back, each sorted."""
    trips = [trip for trip in measured.trips if trip[1] > 0]
    there = sorted(Nanos(arrived - sent) for sent, arrived, _ in trips)
    back = sorted(Nanos(heard - arrived) for _, arrived, heard in trips)
    return Sampled(tuple(there)), Sampled(tuple(back))
