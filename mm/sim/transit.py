"""How long a message of the compiled pass takes, where that is not one constant.

The same draws and the same arithmetic as `latency.Delays`: a command's number is its place among
all commands, which those of a turn have only once all of them are known, cancels first.
"""

from typing import Any, Final

import numpy as np

from mm.projections.compiled import inner, numbered
from mm.sim.delays import on_entry, on_response, sampled, uniform
from mm.sim.draws import ENTRY, RESPONSE, drawn
from mm.sim.world import WIRE, clocks, commands, delays, latencies

CONSTANT, DRAWN, MEASURED = numbered(3)
"""What `clock.varies` says."""
ANSWERS: Final[Any] = np.int64(4)
"""The row of delays of answers; those before are of commands, by their kind."""
THERE: Final[Any] = np.int64(ENTRY)
BACK: Final[Any] = np.int64(RESPONSE)


@inner
def delay_of(m: int, kind: int, stream: int, number: int) -> int:
    """The delay of message `number` of a stream, in nanoseconds."""
    seed, way = clocks(m)[0].seed, latencies(m)[kind]
    if way.count:
        sample = delays(m)[way.first : way.first + way.count]
        return sampled(sample, drawn(seed, stream, number))
    return uniform(way.least, way.most, seed, stream, number)


@inner
def sending(m: int, at: int, kind: int, number: int) -> int:
    """How long command `number`, sent at `at`, takes; negative if it never arrives."""
    if clocks(m)[0].varies != MEASURED:
        return delay_of(m, kind, THERE, number)
    trips = latencies(m)[0]
    sent, arrived, heard = trips.first, trips.first + trips.count, trips.first + 2 * trips.count
    columns = delays(m)
    return on_entry(
        columns[sent:arrived], columns[arrived:heard], columns[heard : heard + trips.count], at
    )


@inner
def answering(m: int, at: int) -> int:
    """How long the next answer, given at `at`, takes."""
    if clocks(m)[0].varies == MEASURED:
        trips, columns = latencies(m)[ANSWERS], delays(m)
        heard = trips.first + trips.count
        return on_response(columns[trips.first : heard], columns[heard : heard + trips.count], at)
    return delay_of(m, ANSWERS, BACK, clocks(m)[0].response_to + 1)


@inner
def dispatch(m: int, at: int, place: int) -> None:
    """A command was put in at a place among those of its turn: it and those after it are timed."""
    clock = clocks(m)[0]
    last = clock.command_before
    if place > clock.command_first:
        last = commands(m)[(place - 1) % WIRE].arrival
    for number in range(place, clock.command_to):
        message = commands(m)[number % WIRE]
        last = max(last, at + sending(m, at, message.kind, number + 1))
        message.arrival = last
    clock.command_last = last
