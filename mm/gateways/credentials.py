"""Keys to venues: from the environment or a keyring, never from a config, never shown.

A secret is in no repr, no event and no error. A key that may withdraw is refused where the venue
tells what it may: nobody who trades needs that right.
"""

import importlib
from collections.abc import Mapping
from typing import Final

from mm.errors import ConfigError, VenueRefused

FALLBACKS: Final = {"binance_usdm": "binance", "max_margin": "max"}
"""Whose key serves where a venue has none of its own."""
FORBIDDEN: Final = frozenset({"withdraw", "transfer"})


class Credentials:
    """A key and its secret; prints as stars."""

    __slots__ = ("key", "passphrase", "secret")

    def __init__(self, key: str, secret: str, passphrase: str = "") -> None:
        """Keep them."""
        self.key = key
        self.secret = secret
        self.passphrase = passphrase

    def __repr__(self) -> str:
        """Nothing that helps anybody."""
        return "Credentials(***)"

    def __reduce__(self) -> tuple[object, ...]:
        """Never leave the process: not in a pickle, not in a crash report."""
        raise TypeError("credentials are not written anywhere")


def credentials_for(venue: str, environment: Mapping[str, str]) -> Credentials:
    """The key of a venue; raises `ConfigError` where there is none."""
    for name in (venue, FALLBACKS.get(venue, "")):
        found = name and (_given(name, environment) or _kept(name))
        if found:
            return found
    prefix = f"MM_{venue.upper()}"
    raise ConfigError(
        f"there is no key for {venue}",
        where=f"{prefix}_KEY and {prefix}_SECRET",
        remedy="set both in the environment, or keep them in the keyring under `mm`",
    )


def refuse_dangerous(venue: str, permissions: tuple[str, ...]) -> None:
    """Refuse a key that may do more than trade; raises `VenueRefused`."""
    dangerous = sorted(FORBIDDEN.intersection(permissions))
    if dangerous:
        raise VenueRefused(
            f"the key for {venue} may {' and '.join(dangerous)}",
            where=venue,
            remedy="make a key that may only read and trade, bound to this machine's address",
        )


def _given(venue: str, environment: Mapping[str, str]) -> Credentials | None:
    prefix = f"MM_{venue.upper()}"
    key = environment.get(f"{prefix}_KEY", "").strip()
    secret = environment.get(f"{prefix}_SECRET", "").strip()
    if bool(key) != bool(secret):
        missing = f"{prefix}_{'SECRET' if key else 'KEY'}"
        raise ConfigError(
            f"half of a key for {venue} is given", where=missing, remedy=f"set {missing}, too"
        )
    if not key:
        return None
    return Credentials(key, secret, environment.get(f"{prefix}_PASSPHRASE", "").strip())


def _kept(venue: str) -> Credentials | None:
    """From the keyring, where that is installed."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return None
    key = keyring.get_password("mm", f"{venue}.key")
    secret = keyring.get_password("mm", f"{venue}.secret")
    return Credentials(key, secret) if key and secret else None
