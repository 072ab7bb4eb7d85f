"""What a config says about a venue: which one, what of it, and how patient we are with it."""

import msgspec

from mm.engine.settings import Duration


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where venues' hosts are looked for: as usual, or all at one address, an emulator's.

    `MM_RESOLVE` and `MM_CA_FILE` override them.
    """

    resolve: str = ""
    ca: str = ""


class VenueFeedConfig(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="venue",
):
    """A venue's market data, live. Without `channels` everything that the venue offers.

    A venue of ccxt's is `ccxt.<id>`; `hosts` are those that ccxt does not name beforehand.
    """

    venue: str
    symbols: tuple[str, ...]
    channels: tuple[str, ...] = ()
    interval: str = "1m"
    audit: bool = True
    hosts: tuple[str, ...] = ()
    stale_after: Duration = Duration("10s")
    poll_after: Duration = Duration("30s")
    poll_every: Duration = Duration("1s")
    redefine_every: Duration = Duration("1h")

    @property
    def speed(self) -> str:
        """Real time."""
        return "1"


class ReferenceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates of currencies that a session keeps current, and whom they are had from, in order."""

    pairs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ("bank-of-taiwan", "taifex", "open-er-api")
    poll_every: Duration = Duration("1m")
    valid_for: Duration = Duration("1h")
    age_max: Duration = Duration("96h")
    jump_max_bps: int = 200
