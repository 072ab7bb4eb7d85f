"""Copy what a desk's archive lacks from its log: after a session, in a process of its own.

Writing Parquet takes a hundred megabytes that a trading process must not carry, and nothing that
happens here may touch it. What was stored is read back, so that the archive proves the log.
"""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from mm.apps.logs import reading
from mm.apps.sessions import DeskFiles
from mm.errors import LogError, MmError
from mm.log.archive import ArchiveWriter
from mm.log.server import die_with


async def archive(files: DeskFiles) -> int:
    """Append the turns that the archive lacks; returns how many."""
    added = 0
    name = files.root.resolve().name
    with ArchiveWriter(files.archive, name=name, kind="session") as writer:
        after = writer.head.number
        async with reading(files) as view, contextlib.aclosing(view.read(after)) as turns:
            async for sealed in turns:
                writer.append(sealed)
                added += 1
    return added


async def archive_apart(files: DeskFiles) -> None:
    """The same in a child process; raises `LogError` with what it said when it fails."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mm.apps.archiving",
        str(files.root),
        str(os.getpid()),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await child.communicate()
    if child.returncode:
        raise LogError(
            f"the session is on the log but not in the archive: {said.decode().strip()[-400:]}",
            where=str(files.archive),
            remedy="the next session archives it; `mm log export --out DIRECTORY` copies it now",
        )


def main() -> None:
    """Archive the desk whose directory is the first argument; the second is who asked for it.

    It dies with whoever asked, since the next session would find the archive taken.
    """
    die_with(int(sys.argv[2]))
    try:
        asyncio.run(archive(DeskFiles(Path(sys.argv[1]))))
    except MmError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
