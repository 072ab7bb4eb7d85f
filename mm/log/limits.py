"""What an append may take; apart from the writer, for a config needs no server's client."""

import msgspec

from mm.events.turn import TURN_BYTES_MAX


class AppendLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an append may take in all, and how long one attempt waits for its answer.

    A server that is silent while its disk has less than `disk_free_min` bytes is taken for full.
    """

    append_seconds_max: float = 5.0
    ack_seconds_max: float = 1.0
    disk_free_min: int = 2 * TURN_BYTES_MAX
