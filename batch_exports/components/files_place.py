"""Where a source's files lie: a local folder, or a prefix of a bucket that a connection reaches."""

from pathlib import Path

import dagster as dg
from pyarrow import fs

from batch_exports.components.references import find
from batch_exports.components.s3_connection import S3Connection
from batch_exports.errors import ConfigurationError

_SCHEME = "s3://"


def is_on_s3(path: str) -> bool:
    return path.startswith(_SCHEME)


def check_place(path: str, connection: str | None) -> None:
    """Raises `ConfigurationError` for a path of an unknown kind, and a connection without use."""
    if "://" in path and not is_on_s3(path):
        raise ConfigurationError(
            "path",
            f"{path!r} is of a kind that is not known.",
            remedy="Give a local folder, or s3://bucket/prefix.",
        )
    if connection and not is_on_s3(path):
        raise ConfigurationError(
            "connection",
            f"{connection!r} is of no use to the local folder {path!r}.",
            remedy="Leave it out, or correct the path.",
        )


def check_connection(context: dg.ComponentLoadContext, connection: str | None) -> None:
    if connection:
        find(context, S3Connection, "connection", connection)


def opened(
    path: str, connection: str | None, context: dg.InitResourceContext
) -> tuple[fs.FileSystem, str]:
    """The file system, and the path in it, within a run that has the connection's resource."""
    if not is_on_s3(path):
        return fs.LocalFileSystem(), str(Path(path).expanduser().absolute())
    if connection:
        return getattr(context.resources, connection).filesystem(), path.removeprefix(_SCHEME)
    return fs.S3FileSystem(), path.removeprefix(_SCHEME)
