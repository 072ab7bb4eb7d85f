"""What the archive as a log has beyond the contract: when a turn is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mm.errors import StoreLocked
from mm.events.units import Nanos
from mm.log.archive import Archive
from mm.log.archived import ArchivedLog
from mm.log.chain import seal
from tests.build import quote

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_turn_is_durable_after_flush(tmp_path: Path) -> None:
    """Appended turns are buffered; after `flush` another process can read them."""
    log = ArchivedLog.open(tmp_path / "a", name="x", kind="recording")
    await log.append(seal(log.head, Nanos(1), [quote(1, 2)], []))
    assert Archive(tmp_path / "a").head.number == 0
    await log.flush()
    assert Archive(tmp_path / "a").head == log.head
    assert Archive(tmp_path / "a").manifest.kind == "recording"
    with pytest.raises(StoreLocked):
        ArchivedLog.open(tmp_path / "a", name="x", kind="recording")
    await log.close()
