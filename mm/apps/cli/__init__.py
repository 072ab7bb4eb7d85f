"""The command line: one file a command group, one place for errors, exit codes and Ctrl-C."""

from mm.apps.cli.main import main

__all__ = ["main"]
