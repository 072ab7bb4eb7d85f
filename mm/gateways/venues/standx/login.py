"""A token from StandX for a key of our own: the venue says what a wallet is to sign.

The wallet itself is never here. Whoever holds it signs the message elsewhere and brings the
signature; the token that comes for it lasts as long as was asked for, seven days at the most.
"""

import base64
import binascii
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from mm.errors import ConfigError
from mm.gateways.venues.standx.keys import SigningKey
from mm.gateways.venues.standx.rest import called, unreadable

HOSTS: Final = ("api.standx.com",)
API: Final = "https://api.standx.com/v1/offchain"
CHAINS: Final = ("bsc", "solana")
WEEK: Final = 604_800
JSON: Final = {"Content-Type": "application/json"}


class Offer(NamedTuple):
    """What a wallet is to sign (`message`), and what proves to the venue that it asked for it."""

    chain: str
    message: str
    signed_data: str


class Claims(msgspec.Struct):
    """What the venue's own token says, as far as it is read."""

    message: str


async def offered(
    session: aiohttp.ClientSession, chain: str, address: str, key: SigningKey
) -> Offer:
    """What the wallet with this address is to sign; raises `VenueSaid` or `ConfigError`."""
    if chain not in CHAINS:
        raise ConfigError(
            f"there is no chain {chain!r}",
            where="--chain",
            remedy=f"choose one of {', '.join(CHAINS)}",
        )
    answer = await _posted(
        session, f"prepare-signin?chain={chain}", {"address": address, "requestId": key.public}
    )
    signed = answer.get("signedData")
    if not isinstance(signed, str):
        raise unreadable("an answer without anything to sign")
    return Offer(chain, message_in(signed), signed)


async def logged_in(
    session: aiohttp.ClientSession, offer: Offer, signature: str, seconds: int = WEEK
) -> str:
    """The token, for a wallet's signature of the message; raises `VenueSaid`."""
    body = {"signature": signature, "signedData": offer.signed_data, "expiresSeconds": seconds}
    answer = await _posted(session, f"login?chain={offer.chain}", body)
    token = answer.get("token")
    if not isinstance(token, str) or not token:
        raise unreadable("an answer without a token")
    return token


async def _posted(
    session: aiohttp.ClientSession, path: str, body: dict[str, Any]
) -> dict[str, Any]:
    text = msgspec.json.encode(body).decode()
    answer = await called(session, "POST", f"{API}/{path}", JSON, text)
    if not isinstance(answer, dict):
        raise unreadable("an answer of another kind")
    return answer


def message_in(token: str) -> str:
    """The message in a web token's middle part; raises `VenueSaid`."""
    parts = token.split(".")
    try:
        middle = parts[1]
        text = base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))
        return msgspec.json.decode(text, type=Claims).message
    except (IndexError, binascii.Error, msgspec.MsgspecError) as error:
        raise unreadable("nothing to sign in the token") from error
