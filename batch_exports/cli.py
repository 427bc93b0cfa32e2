"""The command `batch-exports`."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from batch_exports.local import parts
from batch_exports.local.errors import LocalError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Product-analytics data, exported one data interval at a time."""


@main.group()
def local() -> None:
    """The embedded parts: an S3 server and sample events, on this machine.

    Their state is kept in .local/ of the current folder, or in the folder that
    BATCH_EXPORTS_LOCAL_DIR names.
    """


@local.command()
def up() -> None:
    """Start every part, or find it running, and say where it is."""
    with _errors_told():
        parts.up(parts.state_folder(), _progress)
    _show_status()


@local.command()
def down() -> None:
    """Stop every part. What was exported stays."""
    state = parts.state_folder()
    with _errors_told():
        parts.down(state, _progress)
    click.echo(f"All parts are down. Their data stays in {state}")


@local.command()
def status() -> None:
    """Say what is up and where; exit with 1 unless everything is."""
    if not _show_status():
        sys.exit(1)


@local.command()
def env() -> None:
    """Print how to reach the parts, as shell variables.

    Use it so: eval "$(batch-exports local env)"
    """
    state = parts.state_folder()
    with _errors_told():
        variables = parts.environment(state)
        down_now = [name for name, part in parts.status(state).items() if not part.up]
    for name, value in variables.items():
        click.echo(f"export {name}={_quoted(value)}")
    if down_now:
        _progress(f"not running: {', '.join(down_now)}; `batch-exports local up` starts them")


def _show_status() -> bool:
    """Print a line a part; whether all are up."""
    state = parts.state_folder()
    with _errors_told():
        shown = parts.status(state)
    for name, part in shown.items():
        click.echo(f"{name:<6}{'up' if part.up else 'DOWN':<6}{part.text}")
    click.echo(f"state {state}")
    return all(part.up for part in shown.values())


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def _progress(line: str) -> None:
    click.echo(line, err=True)


@contextmanager
def _errors_told() -> Iterator[None]:
    try:
        yield
    except LocalError as error:
        raise click.ClickException(str(error)) from error
