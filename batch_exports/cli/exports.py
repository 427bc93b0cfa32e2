"""What commands about exports have in common: where these are, and how errors are told."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from batch_exports.errors import BatchExportError
from batch_exports.local import parts
from batch_exports.local.errors import LocalError


@contextmanager
def errors_told() -> Iterator[None]:
    """The parts' errors as the command's own."""
    try:
        yield
    except LocalError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def exports_known() -> Iterator[None]:
    """The user's own exports; without any those of the demo, which have to know their parts."""
    from batch_exports.components.errors import InvalidComponent

    with errors_told():
        if "BATCH_EXPORTS_DEFS" not in os.environ:
            os.environ |= parts.environment(parts.state_folder())
        try:
            yield
        except (BatchExportError, InvalidComponent, NotADirectoryError) as error:
            raise click.ClickException(str(error)) from error
