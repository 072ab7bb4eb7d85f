"""How long a message takes: arithmetic over numbers, for paper accounts and the compiled pass.

Three sorts: uniform in a range, drawn from a sample, and interpolated in time between measured
round trips as hftbacktest's IntpOrderLatency does it (`models/latency.rs`). A negative delay is a
refusal: the message never reached the venue, and we hear so after as long as it is large.
"""

from collections.abc import Sequence

from mm.projections.compiled import jitable
from mm.sim.draws import between, drawn


@jitable
def uniform(least: int, most: int, seed: int, stream: int, number: int) -> int:
    """Message `number` of a stream, in a range with both ends; a constant takes no draw."""
    if least == most:
        return least
    return between(least, most, drawn(seed, stream, number))


@jitable
def sampled(delays: Sequence[int], draw: int) -> int:
    """One of the delays, each as likely as the next."""
    return delays[between(0, len(delays) - 1, draw)]


@jitable
def last_by(times: Sequence[int], at: int) -> int:
    """The place of the last time that is not after `at`, -1 if all are; times do not run back."""
    low, high = 0, len(times)
    while low < high:
        middle = (low + high) // 2
        if times[middle] <= at:
            low = middle + 1
        else:
            high = middle
    return low - 1


@jitable
def line(at: int, start: int, first: int, end: int, last: int) -> int:
    """The value at a time on the line from `first` at `start` to `last` at `end`; towards zero."""
    slope = float(last - first) / float(end - start)
    return int(slope * float(at - start)) + first


@jitable
def on_entry(
    requests: Sequence[int], arrivals: Sequence[int], responses: Sequence[int], at: int
) -> int:
    """The delay of a command sent at `at`, between the round trips measured around then.

    An arrival of 0 was none: between two round trips of which one never arrived, ours does not
    either. Before the first and after the last round trip its own delay counts.
    """
    i = last_by(requests, at)
    if i < 0 or i == len(requests) - 1:
        i = max(i, 0)
        if arrivals[i] > 0:
            return arrivals[i] - requests[i]
        return requests[i] - responses[i]
    start, end = requests[i], requests[i + 1]
    if arrivals[i] <= 0 or arrivals[i + 1] <= 0:
        return -line(at, start, responses[i] - start, end, responses[i + 1] - end)
    return line(at, start, arrivals[i] - start, end, arrivals[i + 1] - end)


@jitable
def on_response(arrivals: Sequence[int], responses: Sequence[int], at: int) -> int:
    """The delay of what the venue says at `at`; only of round trips that arrived."""
    i = last_by(arrivals, at)
    if i < 0 or i == len(arrivals) - 1:
        i = max(i, 0)
        return responses[i] - arrivals[i]
    start, end = arrivals[i], arrivals[i + 1]
    return line(at, start, responses[i] - start, end, responses[i + 1] - end)
