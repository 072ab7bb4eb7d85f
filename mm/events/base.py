"""The common shape of every event: an immutable struct stored as a tagged array.

Arrays keep the bytes few and deterministic. A tag is the name on the log: it is never renamed and
never reused, a field is only ever added, at the end and with a default.
"""

import msgspec


class Body(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all events; it adds nothing but the encoding."""


class MarketEvent(Body, frozen=True, array_like=True, gc=False):
    """Base of public market facts: a turn that holds only these goes to the market subject."""
