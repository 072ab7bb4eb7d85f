"""How one account at a venue is looked after."""

import msgspec

from mm.gateways.calls import CallLimits


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One account; durations in seconds.

    `heard_seconds_max` is how long the private stream may take to say what an answer did not.
    """

    wallet: str = "main"
    calls: CallLimits = CallLimits()
    workers: int = 8
    cancel_workers: int = 4
    cancel_tries_max: int = 5
    cancel_pause_seconds: float = 0.2
    heard_seconds_max: float = 3.0
    connect_seconds_max: float = 30.0
    close_seconds_max: float = 5.0
    reconcile_every_seconds: float = 300.0
    clock_every_seconds: float = 60.0
    retry_seconds: float = 1.0
