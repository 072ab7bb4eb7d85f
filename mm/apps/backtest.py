"""Backtest: market facts from a recording, orders to the simulated venue, the same engine between.

Time is what the log says. The next turn happens at the earliest of three: the feed's next message,
the engine's next deadline, the venue's next answer. One message is one turn, as a live runner that
is never busy would have formed it; a command leaves in the turn that decided it, and that it left
is heard in the next. The result is a session of the same kind as a live one.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from mm.apps.sending import FAULTED, has_faulted, leaving, unsent
from mm.engine.core import Engine
from mm.events.orders import CancelAll, CancelOrder
from mm.events.session import SessionEnded, StopRequested
from mm.events.turn import TURN_FACTS_MAX
from mm.events.units import SECONDS, Nanos
from mm.events.vocabulary import Decision, Fact
from mm.gateways.base import Message
from mm.gateways.paper import PaperGateway
from mm.log.chain import START, Head, Sealed, advance, seal

STOP_PATIENCE: Final = Nanos(10 * SECONDS)


class Backtest:
    """One run; iterate over `turns` and it plays."""

    def __init__(self, gateway: PaperGateway) -> None:
        """Start with a fresh engine."""
        self.engine = Engine()
        self._gateway = gateway
        self._head: Head = START
        self._pending: list[Fact] = []
        self._faulted = False

    def turns(
        self, opening: tuple[Fact, ...], messages: Iterable[Message], wall_time: Nanos
    ) -> Iterator[Sealed]:
        """Every turn from the start to the end of the session."""
        feed = iter(messages)
        message = next(feed, None)
        if message is None:
            return
        at = message.received
        yield self._turn(at, opening)
        yield from self._turns(at, self._gateway.state(at, []))
        while message is not None and not self._faulted:
            at = self._next(message.received)
            if at < message.received:
                yield from self._due(at)
                continue
            self._gateway.observe(at, message.facts)
            yield from self._turns(at, (*message.facts, *self._answers(at)))
            message = next(feed, None)
        yield from self._wind_down(at, wall_time)

    def _wind_down(self, at: Nanos, wall_time: Nanos) -> Iterator[Sealed]:
        reason = "engine faulted" if self._faulted else "the recording has ended"
        yield self._turn(at, (StopRequested(who="backtest", reason=reason),))
        give_up = Nanos(at + STOP_PATIENCE)
        while (self.engine.state.orders.live or self._pending) and at < give_up:
            at = self._next(give_up)
            yield from self._due(at)
        session = self.engine.state.health.session
        ended = SessionEnded(session=session, reason=reason, wall_time=wall_time)
        yield from self._turns(at, (*self._pending_facts(), ended))

    def _next(self, limit: Nanos) -> Nanos:
        """The next time at which anything happens."""
        due = (limit, self.engine.deadline(), self._gateway.due())
        return Nanos(max(self._head.at, min(at for at in due if at is not None)))

    def _due(self, at: Nanos) -> Iterator[Sealed]:
        """A turn for timers and answers; none when the venue only did something of its own."""
        answers = self._answers(at)
        deadline = self.engine.deadline()
        if answers or (deadline is not None and deadline <= at):
            yield from self._turns(at, answers)

    def _answers(self, at: Nanos) -> tuple[Fact, ...]:
        return (*self._pending_facts(), *self._gateway.poll(at))

    def _pending_facts(self) -> tuple[Fact, ...]:
        pending, self._pending = tuple(self._pending), []
        return pending

    def _turns(self, at: Nanos, heard: tuple[Fact, ...]) -> Iterator[Sealed]:
        """As many turns as the facts and the timers that are due need."""
        deadline = self.engine.deadline()
        due = self.engine.timers if deadline is not None and deadline <= at else 0
        room = TURN_FACTS_MAX - due
        yield self._turn(at, heard[:room])
        for start in range(room, len(heard), TURN_FACTS_MAX):
            yield self._turn(at, heard[start : start + TURN_FACTS_MAX])

    def _turn(self, at: Nanos, heard: tuple[Fact, ...]) -> Sealed:
        outcome = self.engine.step(at, heard)
        sealed = seal(self._head, at, outcome.facts, outcome.decisions)
        self._head = advance(self._head, sealed)
        self._send(at, outcome.decisions)
        return sealed

    def _send(self, at: Nanos, decisions: tuple[Decision, ...]) -> None:
        faulted = has_faulted(decisions)
        for intent in leaving(decisions):
            if faulted and not isinstance(intent, CancelOrder | CancelAll):
                self._pending.append(unsent(intent, at, FAULTED))
            else:
                self._pending.extend(self._gateway.send(at, intent))
        self._faulted |= faulted
