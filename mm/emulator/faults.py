"""What can be made to go wrong, by rules: on requests, on frames, and on whole sockets.

A rule says what it applies to, how often, and what then happens. The first that applies wins. With
a probability it draws from a seed, so that the same run fails in the same places.
"""

import asyncio
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from mm.emulator.sockets import Socket
from mm.errors import ConfigError

HTML: Final = "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
FOREVER: Final = 86_400.0


class Kind(StrEnum):
    """What happens; see `docs/emulator.md` for which failure of a venue each one is."""

    REFUSE = "refuse"
    ANSWER = "answer"
    TRUNCATE = "truncate"
    HANG = "hang"
    DELAY = "delay"
    ABORT = "abort"
    RESET = "reset"
    DROP = "drop"
    DUPLICATE = "duplicate"
    SWAP = "swap"
    MALFORM = "malform"
    LATE = "late"
    SILENCE = "silence"
    DEAFEN = "deafen"
    CUT = "cut"
    CLOSE = "close"


REQUESTS: Final = frozenset(
    {
        Kind.REFUSE,
        Kind.ANSWER,
        Kind.TRUNCATE,
        Kind.HANG,
        Kind.DELAY,
        Kind.ABORT,
        Kind.RESET,
    }
)
"""Those that befall a request; the others befall frames, or the socket that a frame is for."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong, where, and how often.

    `host`, `path` and `stream` are patterns as file names have them; a frame has to hold `text`. It
    passes over the first `skip` that match and applies to the next `count` (0: to all), each with
    `probability`. `seconds` is how long something hangs or comes late, `status`, `body` and
    `headers` what is answered instead: an HTML page where no body is named; `code` closes a socket.
    """

    kind: Kind
    host: str = "*"
    path: str = "*"
    method: str = "*"
    stream: str = "*"
    text: str = ""
    skip: int = 0
    count: int = 1
    probability: float = 1.0
    seed: int = 0
    seconds: float = FOREVER
    status: int = 503
    body: str | None = None
    headers: dict[str, str] = {}
    code: int = 1_001


def rules_from(text: bytes) -> list[Rule]:
    """Rules as JSON, a list of them or one; raises `ConfigError`."""
    try:
        read = msgspec.json.decode(text, type=list[Rule] | Rule)
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"the faults cannot be read: {error}",
            where="faults",
            remedy='write a list of rules such as [{"kind": "drop", "stream": "*@depth*"}]',
        ) from error
    rules = read if isinstance(read, list) else [read]
    for rule in rules:
        if rule.skip < 0 or rule.count < 0 or not 0 <= rule.probability <= 1 or rule.seconds < 0:
            raise ConfigError(
                f"a fault with skip {rule.skip}, count {rule.count}, probability "
                f"{rule.probability}, seconds {rule.seconds} cannot be",
                where="faults",
                remedy="counts and seconds are zero or above, a probability is within 0 to 1",
            )
    return rules


class _Active:
    """A rule at work; changes in place."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.seen = 0
        self.hits = 0
        self.held: dict[Socket, bytes] = {}
        self._random = Random(rule.seed)  # noqa: S311  Seeded, and no secret.

    def applies(self) -> bool:
        """Whether this one, which matches, is hit."""
        rule = self.rule
        self.seen += 1
        if self.seen <= rule.skip or (rule.count and self.hits >= rule.count):
            return False
        if rule.probability < 1 and self._random.random() >= rule.probability:
            return False
        self.hits += 1
        return True


class Faults:
    """The rules in force; changes in place."""

    def __init__(self) -> None:
        """Nothing goes wrong."""
        self._active: list[_Active] = []

    def add(self, rules: Iterable[Rule]) -> None:
        """From now on these apply too, after those before them."""
        self._active += map(_Active, rules)

    def clear(self) -> None:
        """Nothing goes wrong any more; sockets that were silenced stay so."""
        self._active.clear()

    def told(self) -> list[dict[str, Any]]:
        """Each rule, and how often it matched and applied."""
        return [
            {"rule": msgspec.to_builtins(each.rule), "seen": each.seen, "hits": each.hits}
            for each in self._active
        ]

    @web.middleware
    async def middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Let a request pass, or have it fail."""
        rule = self._of_request(request)
        if rule is None:
            response: web.StreamResponse = await handler(request)
            return response
        if rule.kind is Kind.REFUSE:
            return _instead(rule)
        if rule.kind is Kind.HANG:
            await asyncio.sleep(rule.seconds)
            return _instead(rule)
        if rule.kind is Kind.RESET:
            return _broken(request)
        response = await handler(request)
        if rule.kind is Kind.ABORT:
            return _broken(request)
        if rule.kind is Kind.DELAY:
            await asyncio.sleep(rule.seconds)
            return response
        if rule.kind is Kind.ANSWER:
            return _instead(rule)
        whole = response.body if isinstance(response, web.Response) else None
        cut = whole[: len(whole) // 2] if isinstance(whole, bytes) else b""
        return web.Response(body=cut, status=response.status, content_type="application/json")

    def _of_request(self, request: web.Request) -> Rule | None:
        host = request.host.partition(":")[0]
        for each in self._active:
            rule = each.rule
            if (
                rule.kind in REQUESTS
                and fnmatchcase(host, rule.host)
                and fnmatchcase(request.path, rule.path)
                and fnmatchcase(request.method, rule.method)
                and each.applies()
            ):
                return rule
        return None

    def frames(self, socket: Socket, stream: str, frame: bytes) -> list[bytes]:
        """What is sent in place of a frame."""
        sent = [frame]
        for each in self._active:
            rule = each.rule
            if (
                rule.kind not in REQUESTS
                and fnmatchcase(socket.host, rule.host)
                and fnmatchcase(socket.path, rule.path)
                and fnmatchcase(stream, rule.stream)
                and rule.text.encode() in frame
            ):
                held = each.held.pop(socket, None)
                if held is not None:
                    return [*sent, held]
                if each.applies():
                    return _befallen(each, socket, frame)
        return sent


def _befallen(active: _Active, socket: Socket, frame: bytes) -> list[bytes]:
    """What a rule makes of a frame that it applies to."""
    rule = active.rule
    match rule.kind:
        case Kind.DUPLICATE:
            return [frame, frame]
        case Kind.SWAP:
            active.held[socket] = frame
        case Kind.MALFORM:
            return [frame[: len(frame) // 2]]
        case Kind.LATE:
            asyncio.get_running_loop().call_later(rule.seconds, socket.push, frame)
        case Kind.SILENCE:
            socket.silent = True
        case Kind.DEAFEN:
            socket.silent = socket.deaf = True
        case Kind.CUT:
            socket.cut()
        case Kind.CLOSE:
            socket.close(rule.code)
        case _:
            pass  # It is dropped.
    return []


def _instead(rule: Rule) -> web.Response:
    if rule.body is None:
        text, kind = HTML.format(status=rule.status), "text/html"
    else:
        text, kind = rule.body, "application/json"
    return web.Response(
        text=text, status=rule.status, content_type=kind, headers=dict(rule.headers)
    )


def _broken(request: web.Request) -> web.Response:
    """Break the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499, headers={hdrs.CONNECTION: "close"})
