"""One call through ccxt, and what it means when no answer comes.

ccxt's classes say what kind of error it took something for; whether a command may have been done
is told by the cause underneath: a connection that never stood has carried nothing.
"""

from typing import Any, Final, NoReturn

import ccxt.async_support as ccxt

from mm.gateways.network import UNSENT
from mm.gateways.verdicts import VenueSaid, Verdict

TIMEOUT_MILLIS: Final = 10_000


async def called(exchange: Any, name: str, params: dict[str, Any]) -> Any:
    """The answer to ccxt's method of that name, decoded; raises `VenueSaid`."""
    try:
        return await getattr(exchange, name)(params)
    except ccxt.RequestTimeout as error:
        _lost(error, "timeout")
    except ccxt.NetworkError as error:
        _lost(error, "network")
    except ccxt.BaseError as error:
        _lost(error, type(error).__name__)


def _lost(error: Exception, code: str) -> NoReturn:
    """No answer: whether it was sent, the cause tells."""
    sent = not isinstance(error.__cause__, UNSENT)
    cause = type(error.__cause__ or error).__name__
    verdict = Verdict.UNKNOWN if sent else Verdict.NOT_SENT
    raise VenueSaid(verdict, raw_code=code, raw_text=cause) from error
