"""The `mm` command: finds the group, runs it, and turns what went wrong into an exit code.

Groups are imported when they are called, so that help answers at once. An `MmError` becomes one
message on stderr and its own exit code; a wrong command line becomes 2, Ctrl-C 130, and a pipe that
nobody reads any more 141, as for any filter; an assertion of ours keeps its traceback, for it is a
bug.
"""

import importlib
import inspect
import os
import sys
from typing import Any, Final

import click
import typer
from typer.core import TyperArgument, TyperGroup
from typer.main import get_command
from typer.utils import get_params_from_function

from mm import __version__
from mm.apps.cli.output import fail, out
from mm.errors import ConfigError, Interrupted, MmError

COMMANDS: Final = {
    "demo": (
        "mm.apps.cli.demo",
        "A 30-second paper session, and the proof that it replays.",
    ),
    "live": ("mm.apps.cli.live", "Run a session from a config file."),
    "venue": ("mm.apps.cli.venue", "Look at venues: list, check."),
    "emulate": (
        "mm.apps.cli.emulate",
        "A venue on this machine, for real clients to trade on.",
    ),
    "feed": (
        "mm.apps.cli.feed",
        "Hear venues once, for every desk and client on a NATS server.",
    ),
    "replay": ("mm.apps.cli.replay", "Verify a session, or backtest a strategy."),
    "import": (
        "mm.apps.cli.imports",
        "Turn captured or tabular market data into a recording.",
    ),
    "record": ("mm.apps.cli.record", "Write a feed to a recording."),
    "adapter": ("mm.apps.cli.adapter", "Parse a venue's raw frames anew, and compare."),
    "log": (
        "mm.apps.cli.log",
        "Look at logs: list, count, show, check, follow, export.",
    ),
    "query": ("mm.apps.cli.query", "Ask a session or recording questions in SQL."),
    "compile": ("mm.apps.cli.compile", "Compile the kernels and cache them on disk."),
}
INTERRUPTED: Final = 130
UNREAD: Final = 141
"""What a shell reports of a program whose output nobody reads any more."""


class LazyGroup(TyperGroup):
    """Knows its commands by name and one line, and imports the one that is called."""

    def __init__(self, **attrs: Any) -> None:
        """Put a stand-in for every command, in the order in which a newcomer meets them."""
        super().__init__(**attrs | {"suggest_commands": False})  # Click does so by itself.
        for name, (_, line) in COMMANDS.items():
            self.commands[name] = click.Command(name, help=line, short_help=line)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Replace the stand-in by the command; an unknown name gets the nearest one beside it."""
        name, _, rest = super().resolve_command(ctx, args)
        assert name is not None, "a name that was resolved"
        command = get_command(importlib.import_module(COMMANDS[name][0]).app)
        command.name = name
        if isinstance(command, TyperGroup):
            command.suggest_commands = False
        _explain_arguments(command)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; when nobody reads what it writes, end without a word."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(UNREAD) from None
        return result


def _explain_arguments(command: click.Command) -> None:
    """Give arguments back the help that is lost between typer 0.25 and click 8.5."""
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _explain_arguments(each)
    declared = (
        get_params_from_function(inspect.unwrap(command.callback)) if command.callback else {}
    )
    for parameter in command.params:
        if isinstance(parameter, TyperArgument) and parameter.name in declared:
            parameter.help = getattr(declared[parameter.name].default, "help", None)


app = typer.Typer(
    cls=LazyGroup,
    name="mm",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Event-sourced market making on an append-only log.",
    epilog="Start with `mm demo`. `mm COMMAND --help` explains a command and shows an example.",
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
    out.documents = 0
    try:
        code = get_command(app)(args=argv, prog_name="mm", standalone_mode=False)
    except MmError as error:
        sys.exit(fail(error, as_json=as_json))
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except click.ClickException as error:
        sys.exit(_misused(error, as_json=as_json))
    if code == INTERRUPTED:
        sys.exit(fail(Interrupted("stopped by Ctrl-C"), as_json=as_json))
    sys.exit(code if isinstance(code, int) else 0)


def _misused(error: click.ClickException, *, as_json: bool) -> int:
    """Explain a wrong command line; a bare group only shows its help."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return ConfigError.exit_code
    path = context.command_path if context is not None else "mm"
    misuse = ConfigError(
        error.format_message().rstrip("."), where=path, remedy=f"see `{path} --help`"
    )
    return fail(misuse, as_json=as_json)
