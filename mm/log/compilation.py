"""Where compiled code is kept: importing this sets it, before anything is marked to be compiled.

The directory is named after all the source that compiled code may come from: numba itself looks at
a function's own file only, and would go on with the callees and constants of before. Directories
of other sources are left to `mm compile` to remove.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

import numba

PREFIX: Final = "kernels-"
PACKAGE: Final = Path(__file__).parent.parent
SOURCES: Final = ("log", "projections", "strategy", "sim")
"""Where compiled code, and what it takes as constants, is written."""


def kept_in(package: Path, given: str) -> Path | None:
    """The directory of what was compiled from this very source; None where it cannot be written."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for file in sorted((package / folder).glob("*.py")):
            digest.update(file.read_bytes())
    root = Path(given) if given else package / "__pycache__"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return root / f"{PREFIX}{digest.hexdigest()[:16]}" if os.access(root, os.W_OK) else None


GIVEN: Final[str] = numba.config.CACHE_DIR  # type: ignore[attr-defined]
numba.config.CACHE_DIR = str(  # type: ignore[attr-defined]
    kept_in(PACKAGE, GIVEN) or ""
)


def remove_others() -> None:
    """Remove what was compiled from other source."""
    present = kept_in(PACKAGE, GIVEN)
    if present is not None:
        for place in present.parent.glob(f"{PREFIX}*"):
            if place != present:
                shutil.rmtree(place, ignore_errors=True)
