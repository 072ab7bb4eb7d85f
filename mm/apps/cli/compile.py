"""`mm compile`: compile the kernels into the cache, so that a session need not."""

import time
from typing import Annotated, Final

import typer

from mm.apps.cli.output import emit_json, err
from mm.log.compilation import remove_others
from mm.log.facts import warm as warm_facts
from mm.log.kernels import warm as warm_rows
from mm.projections.depth import warm
from mm.sim.compiled_run import warm as warm_pass
from mm.sim.compiled_trading import warm as warm_venue
from mm.sim.mids import warm as warm_mids

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
    warm()
    warm_rows()
    warm_facts()
    warm_pass()
    warm_mids()
    warm_venue()
    remove_others()
    seconds = time.monotonic() - began
    if as_json:
        emit_json({"seconds": seconds})
    else:
        err.print(f"kernels ready in {seconds:.1f} s")
