"""The Postgres part: a PostgreSQL server in `<state>/postgres`, with one schema to export to."""

from pathlib import Path

from batch_exports.local import postgres_server
from batch_exports.local.errors import LocalError
from batch_exports.local.postgres_cluster import SCHEMA
from batch_exports.local.status import Status


def start(state: Path) -> None:
    """Start the server, unless it runs. Raises LocalError."""
    postgres_server.start(state / "postgres")


def stop(state: Path) -> None:
    """Stop the server; what was exported stays on disk."""
    postgres_server.stop(state / "postgres")


def status(state: Path) -> Status:
    folder = state / "postgres"
    server = postgres_server.find(folder)
    if server is None:
        return Status(up=False, text="never started")
    if not postgres_server.is_running(server):
        return Status(up=False, text=f"not running; its data is in {folder}")
    place = f"{server.host}:{server.port}, database {server.database}"
    return Status(up=True, text=f"{place}, schema {SCHEMA}, data in {folder}")


def environment(state: Path) -> dict[str, str]:
    """How exports reach it: as one address, and in parts.

    Raises LocalError when no server was ever started.
    """
    server = postgres_server.find(state / "postgres")
    if server is None:
        raise LocalError(
            f"no PostgreSQL was ever started in {state}: run `batch-exports local up` first"
        )
    return {
        "BATCH_EXPORTS_LOCAL_POSTGRES_URL": server.url(server.exporter),
        "BATCH_EXPORTS_LOCAL_POSTGRES_HOST": server.host,
        "BATCH_EXPORTS_LOCAL_POSTGRES_PORT": str(server.port),
        "BATCH_EXPORTS_LOCAL_POSTGRES_DATABASE": server.database,
        "BATCH_EXPORTS_LOCAL_POSTGRES_SCHEMA": SCHEMA,
        "BATCH_EXPORTS_LOCAL_POSTGRES_USER": server.exporter.user,
        "BATCH_EXPORTS_LOCAL_POSTGRES_PASSWORD": server.exporter.password,
        "BATCH_EXPORTS_LOCAL_POSTGRES_ROOT_CERT": str(server.root_certificate),
    }
