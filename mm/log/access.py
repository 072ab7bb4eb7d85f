"""Where a NATS server is, and what opens it.

Secrets live here and are handed out at one moment only, when the client logs in. They are never
part of a repr, a URL, an error message or the config that goes into the log: a password inside
NATS_URL is taken out of it on arrival.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from mm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PORT: Final = 4222
FILES: Final = {
    "creds_file": "NATS_CREDS",
    "tls_ca": "NATS_TLS_CA",
    "tls_cert": "NATS_TLS_CERT",
    "tls_key": "NATS_TLS_KEY",
}


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of one server or cluster, and our credentials for it."""

    urls: tuple[str, ...]
    user: str = ""
    password: str = ""
    token: str = ""
    creds_file: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether we insist on TLS: nothing secret is sent without it."""
        tls_files = self.tls_ca or self.tls_cert or self.tls_key
        return bool(tls_files) or any(url.startswith("tls://") for url in self.urls)

    @property
    def method(self) -> str:
        """Name the way we log in, without what we log in with."""
        for name, value in (
            ("credentials file", self.creds_file),
            ("password", self.password),
            ("token", self.token),
            ("client certificate", self.tls_cert),
        ):
            if value:
                return name
        return "no credentials"

    def __repr__(self) -> str:
        """Tell addresses and method; secrets stay inside."""
        tls = ", TLS" if self.encrypted else ""
        return f"Access({', '.join(self.urls)}: {self.method}{tls})"

    def __str__(self) -> str:
        """Tell the same as the repr."""
        return repr(self)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Keep tracebacks that print locals from walking into the fields."""
        return [("urls", self.urls), ("method", self.method)]

    def ssl_context(self) -> ssl.SSLContext:
        """Build the TLS side: our own authority if named, our own certificate if we have one."""
        try:
            context = ssl.create_default_context(cafile=self.tls_ca or None)
            if self.tls_cert:
                context.load_cert_chain(self.tls_cert, self.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the TLS files cannot be used: {error}",
                where=", ".join(filter(None, (self.tls_ca, self.tls_cert, self.tls_key))),
                remedy="check NATS_TLS_CA, NATS_TLS_CERT and NATS_TLS_KEY: PEM, and a matching key",
            ) from error
        return context


def from_environment(environment: Mapping[str, str]) -> Access | None:
    """Read NATS_URL and its companions; None when there is no NATS_URL, so that mm embeds one."""
    given = environment.get("NATS_URL", "").strip()
    if not given:
        return None
    parts = [_split(url.strip()) for url in given.split(",")]
    user, password, token = _login(parts[0])
    access = Access(
        urls=tuple(f"{part.scheme}://{_address(part)}" for part in parts),
        user=environment.get("NATS_USER", user),
        password=environment.get("NATS_PASSWORD", password),
        token=environment.get("NATS_TOKEN", token),
        **{field: environment.get(name, "") for field, name in FILES.items()},
    )
    _check(access)
    return access


def _split(url: str) -> SplitResult:
    part = _parsed(url if "://" in url else f"nats://{url}")
    if part is None or part.scheme not in {"nats", "tls"} or not part.hostname:
        raise _wrong(  # The URL itself may hold a password, so it is not shown.
            "NATS_URL holds an address that cannot be used",
            "write nats://host:port or tls://host:port, several separated by commas",
        )
    return part


def _parsed(url: str) -> SplitResult | None:
    with suppress(ValueError):  # The host or the port is none.
        part = urlsplit(url)
        if part.port != 0:
            return part
    return None


def _address(part: SplitResult) -> str:
    host = part.hostname or ""
    return (
        f"[{host}]:{part.port or DEFAULT_PORT}"
        if ":" in host
        else (f"{host}:{part.port or DEFAULT_PORT}")
    )


def _login(part: SplitResult) -> tuple[str, str, str]:
    """Read user and password, or a lone token, from in front of the host."""
    if part.password is None:
        return "", "", unquote(part.username or "")
    return unquote(part.username or ""), unquote(part.password), ""


def _check(access: Access) -> None:
    ways = [bool(access.creds_file), bool(access.user or access.password), bool(access.token)]
    if sum(ways) > 1:
        raise _wrong(
            "more than one way to log in is given",
            "keep one of NATS_CREDS, "
            "NATS_USER with NATS_PASSWORD, NATS_TOKEN, or a login in NATS_URL",
        )
    if bool(access.user) != bool(access.password):
        raise _wrong(
            "a user without a password, or the reverse", "set both NATS_USER and NATS_PASSWORD"
        )
    if bool(access.tls_cert) != bool(access.tls_key):
        raise _wrong(
            "a certificate without its key, or the reverse",
            "set both NATS_TLS_CERT and NATS_TLS_KEY",
        )
    for field, name in FILES.items():
        path = getattr(access, field)
        if path and not Path(path).is_file():
            raise _wrong(f"{name} names a file that is not there: {path}", "correct the path")


def _wrong(what: str, remedy: str) -> ConfigError:
    return ConfigError(what, where="environment", remedy=remedy)
