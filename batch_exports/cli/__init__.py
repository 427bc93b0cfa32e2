"""The command line, a file a command."""

from batch_exports.cli.commands import main

__all__ = ["main"]
