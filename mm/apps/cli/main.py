"""The `mm` command: finds the group, runs it, and turns what went wrong into an exit code.

Groups are imported when they are asked for, so that `mm --help` answers at once. An `MmError`
becomes one message on stderr and its own exit code; Ctrl-C becomes 130; an assertion of ours
keeps its traceback, for it is a bug.
"""

import importlib
import sys
from typing import Any, Final

import click
import typer
from typer.core import TyperGroup
from typer.main import get_command

from mm import __version__
from mm.apps.cli.output import fail
from mm.errors import Interrupted, MmError

COMMANDS: Final = {
    "demo": (
        "mm.apps.cli.demo",
        "A 30-second paper session, and the proof that it replays.",
    ),
    "live": ("mm.apps.cli.live", "Run a session from a config file."),
    "replay": ("mm.apps.cli.replay", "Verify a session, or backtest a strategy."),
    "import": (
        "mm.apps.cli.imports",
        "Turn captured or tabular market data into a recording.",
    ),
    "record": ("mm.apps.cli.record", "Write a feed to a recording."),
    "log": (
        "mm.apps.cli.log",
        "Look at logs: list, count, show, check, follow, export.",
    ),
    "query": ("mm.apps.cli.query", "Ask a session's log questions in SQL."),
    "compile": ("mm.apps.cli.compile", "Compile the kernels and cache them on disk."),
}


class LazyGroup(TyperGroup):
    """Knows its commands by name and imports one only when it is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The command groups, in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds `cmd_name` and return its command."""
        if cmd_name not in COMMANDS:
            return None
        module, help_line = COMMANDS[cmd_name]
        if "--help" in sys.argv[1:2]:
            return click.Command(cmd_name, help=help_line, short_help=help_line)
        command = get_command(importlib.import_module(module).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyGroup,
    name="mm",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Event-sourced market making on an append-only log.",
)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        typer.echo(f"mm {__version__}")
        raise typer.Exit


def main(argv: list[str] | None = None) -> Any:
    """Run the command line; ends the process with one of the documented exit codes."""
    as_json = "--json" in (argv if argv is not None else sys.argv)
    try:
        code = get_command(app)(args=argv, prog_name="mm", standalone_mode=False)
    except MmError as error:
        sys.exit(fail(error, as_json=as_json))
    except click.exceptions.Abort:
        sys.exit(fail(Interrupted("interrupted"), as_json=as_json))
    except KeyboardInterrupt:
        sys.exit(fail(Interrupted("interrupted"), as_json=as_json))
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
