"""Virtual environments of the peers' own, made when first needed, from locks with hashes.

They lie under the cache directory, never in the repository: `MM_BENCH_CACHE`, or `mm-bench` in the
user's cache. A peer whose Python or packages cannot be had raises `Absent` with the reason; the
benchmark prints it and goes on. A changed lock or interpreter makes a new environment. The locks
are written from the `.in` file beside each, for the Python that its `Environment` names:

    uv pip compile --universal --generate-hashes --no-annotate --no-header --no-emit-index-url
        --no-emit-find-links --python-version 3.12 hftbacktest.in -o hftbacktest.txt
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REQUIREMENTS: Final = Path(__file__).with_name("requirements")
INSTALL_SECONDS_MAX: Final = 900
ASK_VERSION: Final = "import sys; print('%d.%d' % sys.version_info[:2])"


class Absent(Exception):
    """A peer cannot take part; the message is the reason."""


@dataclass(frozen=True)
class Environment:
    """A peer's Python, as `3.12`, and the lock of its packages."""

    name: str
    python: str

    @property
    def lock(self) -> Path:
        """The requirements file, with hashes."""
        return REQUIREMENTS / f"{self.name}.txt"


HFTBACKTEST: Final = Environment("hftbacktest", "3.12")
NAUTILUS: Final = Environment("nautilus", "3.13")
BINANCE_CONNECTOR: Final = Environment("binance-connector", "3.12")
PYTHON_BINANCE: Final = Environment("python-binance", "3.12")


def cache() -> Path:
    """Where environments and workloads are kept."""
    named = os.environ.get("MM_BENCH_CACHE")
    if named:
        return Path(named)
    users = os.environ.get("XDG_CACHE_HOME")
    return (Path(users) if users else Path.home() / ".cache") / "mm-bench"


def interpreter(version: str, named: Path | None = None) -> Path:
    """A Python of this version: the one `named`, else on the path, else pyenv's or uv's."""
    for candidate in [named] if named else candidates(version):
        if version_of(candidate) == version:
            return candidate
    option = f"--python{version.replace('.', '')}"
    if named:
        raise Absent(f"{named} is no Python {version}: name another with {option}")
    raise Absent(f"no Python {version} here: install one, or name it with {option}")


def candidates(version: str) -> Iterator[Path]:
    """Where a Python of this version may be, the likeliest first."""
    program = f"python{version}"
    found = shutil.which(program)
    if found:
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/{program}"), reverse=True)
    managed = Path.home() / ".local/share/uv/python"
    yield from sorted(managed.glob(f"cpython-{version}.*/bin/{program}"), reverse=True)


def version_of(python: Path) -> str | None:
    """What a program says that it is; None if it is no Python that runs."""
    try:
        asked = subprocess.run(
            [python, "-c", ASK_VERSION], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def folder_of(wanted: Environment, root: Path, base: Path) -> Path:
    """Where the environment belongs that this interpreter and the lock make."""
    key = hashlib.sha256(wanted.lock.read_bytes() + str(base).encode()).hexdigest()[:12]
    return root / "environments" / f"{wanted.name}-{key}"


def existing(wanted: Environment, root: Path, named: Path | None = None) -> Path:
    """The Python of an environment that was made before; raises `Absent`, and makes nothing."""
    folder = folder_of(wanted, root, interpreter(wanted.python, named))
    if not (folder / ".ready").exists():
        raise Absent(f"{wanted.name} is not installed: benchmarks/replay_vs_peers.py does it")
    return folder / "bin" / "python"


def made(wanted: Environment, root: Path, named: Path | None = None) -> Path:
    """The Python of the peer's environment under `root`; raises `Absent`."""
    base = interpreter(wanted.python, named)
    folder = folder_of(wanted, root, base)
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        print(f"making the environment of {wanted.name}, once: {folder}", flush=True)
        run(wanted, [base, "-m", "venv", "--clear", folder])
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1")
        strict = ("--require-hashes", "--only-binary", ":all:", "--no-deps")
        run(wanted, [python, *pip, *strict, "-r", wanted.lock])
        ready.touch()
    return python


def run(wanted: Environment, command: list[str | Path]) -> None:
    """One step of making an environment; its last words are the reason if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired as slow:
        raise Absent(f"{wanted.name}: not installed within {INSTALL_SECONDS_MAX} s") from slow
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise Absent(f"{wanted.name} cannot be installed: {words[-1]}")
