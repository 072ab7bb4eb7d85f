"""A login at StandX by hand: what a wallet is to sign, and the credentials that come of it."""

import os

from mm.gateways.network import open_network, settings_from
from mm.gateways.venues.standx.keys import SigningKey
from mm.gateways.venues.standx.login import HOSTS, Offer, logged_in, offered


class Login:
    """One login with a new key."""

    def __init__(self, chain: str, address: str) -> None:
        """Ask for nothing yet."""
        self._chain = chain
        self._address = address
        self._key = SigningKey.new()
        self._offer: Offer | None = None

    async def offer(self) -> str:
        """What the wallet is to sign; raises `VenueSaid` or `ConfigError`."""
        async with open_network(HOSTS, settings_from(os.environ)) as session:
            self._offer = await offered(session, self._chain, self._address, self._key)
        return self._offer.message

    async def finish(self, signature: str) -> dict[str, str]:
        """The variables that hold token and key; raises `VenueSaid`."""
        assert self._offer is not None, "the offer comes first"
        async with open_network(HOSTS, settings_from(os.environ)) as session:
            token = await logged_in(session, self._offer, signature)
        return {"MM_STANDX_KEY": token, "MM_STANDX_SECRET": self._key.text}
