"""A call to a venue: within its rate limits, through the circuit breaker, for a limited time.

Whatever goes wrong comes back as one kind of error, `VenueSaid`, whose verdict says whether the
command may have been done. What the limits and the breaker do on the way are facts.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import msgspec

from mm.events.units import SECONDS, Nanos
from mm.events.venue import CircuitState, RateLimited
from mm.events.vocabulary import Fact
from mm.gateways.breaker import Breaker
from mm.gateways.limiter import Limiter, Priority
from mm.gateways.order_port import OrderPort
from mm.gateways.verdicts import UNCERTAIN, VenueSaid, Verdict

Answer = TypeVar("Answer")
OUTAGES: Final = frozenset({Verdict.UNKNOWN, Verdict.NOT_SENT, Verdict.BUSY})
"""What speaks against the endpoint rather than against what was asked."""
LIMITED_SECONDS: Final = 10.0
BANNED_SECONDS: Final = 120.0
"""How long nothing leaves where the venue does not say for how long."""
ENDPOINTS: Final = {"place": "place", "amend": "place", "cancel": "cancel", "cancel_all": "cancel"}
"""By command: what fails together. All questions are one endpoint."""


class CallLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds: an answer, and the wait of what adds risk to leave."""

    answer_seconds_max: float = 5.0
    place_wait_seconds_max: float = 1.0
    cancel_wait_seconds_max: float = 30.0
    ask_wait_seconds_max: float = 30.0


class Calls:
    """All calls of one account."""

    def __init__(
        self,
        port: OrderPort,
        limiter: Limiter,
        tell: Callable[..., None],
        now: Callable[[], Nanos],
        limits: CallLimits,
    ) -> None:
        """`now` is log time, with which facts are stamped."""
        self.port = port
        self.now = now
        self.limits = limits
        self._limiter = limiter
        self._tell = tell
        self.on_skew: Callable[[], None] = _nobody
        self._breakers: dict[str, Breaker] = {}

    def breaker(self, command: str) -> Breaker:
        """The breaker that a command goes through."""
        endpoint = ENDPOINTS.get(command, "ask")
        if endpoint not in self._breakers:
            self._breakers[endpoint] = Breaker(self.port.venue, endpoint, self._tell)
        return self._breakers[endpoint]

    async def make(
        self,
        command: str,
        priority: Priority,
        call: Callable[[], Coroutine[Any, Any, Answer]],
        before: Callable[[], None] | None = None,
    ) -> Answer:
        """Call once, when it may leave; raises `VenueSaid`.

        `before` hears that it leaves now. A verdict of `NOT_SENT` says that it did not.
        """
        breaker = self.breaker(command)
        if not breaker.admits(self.now()):
            raise VenueSaid(
                Verdict.NOT_SENT,
                raw_code="circuit",
                raw_text="the circuit is open",
                retry_after=max(0.0, (breaker.until - self.now()) / SECONDS),
            )
        if not await self._limiter.take(
            command, self.port.weight(command), priority, self._patience(priority)
        ):
            breaker.dropped()
            raise VenueSaid(Verdict.NOT_SENT, raw_code="limits", raw_text="the rate budget is used")
        if before is not None:
            before()
        try:
            async with asyncio.timeout(self.limits.answer_seconds_max):
                answer = await call()
        except TimeoutError:
            said = VenueSaid(Verdict.UNKNOWN, raw_code="timeout", raw_text="no answer in time")
            self._judge(command, said)
            raise said from None
        except VenueSaid as said:
            self._judge(command, said)
            raise
        except asyncio.CancelledError:
            breaker.dropped()
            raise
        breaker.worked(self.now())
        return answer

    def _patience(self, priority: Priority) -> float:
        match priority:
            case Priority.CANCEL:
                return self.limits.cancel_wait_seconds_max
            case Priority.ASK:
                return self.limits.ask_wait_seconds_max
            case Priority.PLACE:
                return self.limits.place_wait_seconds_max

    def _judge(self, command: str, said: VenueSaid) -> None:
        breaker, at = self.breaker(command), self.now()
        if said.verdict in OUTAGES:
            breaker.failed(at, f"{said.verdict}: {said.raw_code}")
        else:
            breaker.worked(at)
        if said.verdict is Verdict.CLOCK_SKEW:
            self.on_skew()
        if said.verdict in (Verdict.RATE_LIMITED, Verdict.BANNED):
            self._slow_down(breaker, said, at)

    def _slow_down(self, breaker: Breaker, said: VenueSaid, at: Nanos) -> None:
        banned = said.verdict is Verdict.BANNED
        usual = BANNED_SECONDS if banned else LIMITED_SECONDS
        until = Nanos(at + int((said.retry_after or usual) * SECONDS))
        self._limiter.block(until)
        self._tell(
            RateLimited(
                venue=self.port.venue,
                endpoint=breaker.endpoint,
                until=until,
                banned=banned,
                raw_code=said.raw_code,
                received=at,
            )
        )

    @property
    def open_circuits(self) -> list[str]:
        """Endpoints that are left alone at the moment."""
        return [
            name for name, each in self._breakers.items() if each.state is not CircuitState.CLOSED
        ]


def _nobody() -> None:
    """Nobody listens."""


def is_uncertain(said: VenueSaid) -> bool:
    """Whether nobody knows what became of the command."""
    return said.verdict in UNCERTAIN


def worded(said: VenueSaid) -> str:
    """An answer as a fact quotes it."""
    return " ".join(part for part in (said.verdict, said.raw_code, said.raw_text) if part)


Tell = Callable[..., None]
Facts = tuple[Fact, ...]
