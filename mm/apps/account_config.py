"""What a config says about a real account: where it is, whose it is, and how it is looked after."""

from typing import Final

import msgspec

from mm.engine.settings import Duration
from mm.events.units import MILLIS, SECONDS
from mm.gateways.account_settings import AccountSettings
from mm.gateways.calls import CallLimits

BOUNDS: Final = {
    "answer_timeout": (100 * MILLIS, 60 * SECONDS),
    "connect_timeout": (SECONDS, 600 * SECONDS),
    "reconcile_every": (10 * SECONDS, 86_400 * SECONDS),
}
PROCESSES_MAX: Final = 8


class AccountConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A real account; its key comes from the environment or a keyring, never from here.

    `processes_max` is how many desks may trade on the key at once; they share its rate limits
    through the NATS server of NATS_URL.
    """

    name: str
    wallet: str = "main"
    processes_max: int = 1
    answer_timeout: Duration = Duration("5s")
    connect_timeout: Duration = Duration("30s")
    reconcile_every: Duration = Duration("5m")

    @property
    def settings(self) -> AccountSettings:
        """The same, as the gateway takes it."""
        return AccountSettings(
            wallet=self.wallet,
            calls=CallLimits(answer_seconds_max=self.answer_timeout.nanos / SECONDS),
            connect_seconds_max=self.connect_timeout.nanos / SECONDS,
            reconcile_every_seconds=self.reconcile_every.nanos / SECONDS,
        )
