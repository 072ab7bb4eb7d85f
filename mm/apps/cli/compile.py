"""`mm compile`: compile the kernels into the cache, so that a session need not."""

import time
from typing import Annotated, Final

import typer

from mm.apps.cli.output import emit_json, err
from mm.apps.compiling import compile_all
from mm.log.compilation import remove_others

app = typer.Typer(add_completion=False)
EXAMPLE: Final = """
Example:

    mm compile
"""


@app.command(epilog=EXAMPLE)
def compile_kernels(
    as_json: Annotated[bool, typer.Option("--json", help="Print the time taken as JSON.")] = False,
) -> None:
    """Compile the kernels and cache them on disk; what was compiled from other source goes."""
    if not as_json:
        err.print("compiling kernels …")
    began = time.monotonic()
    compile_all()
    remove_others()
    seconds = time.monotonic() - began
    if as_json:
        emit_json({"seconds": seconds})
    else:
        err.print(f"kernels ready in {seconds:.1f} s")
