"""COPY, UNLOAD and ALTER TABLE APPEND within a client's session."""

import asyncio
from collections.abc import AsyncIterator

from batch_exports.local.redshift import load_log
from batch_exports.local.redshift.alter_table import Append
from batch_exports.local.redshift.backend import Backend
from batch_exports.local.redshift.catalog import described, target_columns
from batch_exports.local.redshift.cluster import Cluster
from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.load import Load, load
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.unload import UnloadedFiles, unload
from batch_exports.local.redshift.unload_statement import Unload


async def run_copy(copy: Copy, backend: Backend, cluster: Cluster, session: int) -> int:
    """Load what `copy` names into its table; how many rows there were. Raises Refusal.

    Its errors are kept however it ends. `session` is the number of the client's session.
    """
    columns = await target_columns(backend, copy.table)
    loading = await asyncio.to_thread(load, copy, columns, cluster.settings.storage)
    names = f"({', '.join(_quoted(name) for name in copy.columns)})" if copy.columns else ""
    statement = f"COPY {copy.table} {names} FROM STDIN (FORMAT BINARY)"
    try:
        await backend.execute(statement, _chunks(loading))
    except Refusal:
        failed = (cluster.server, loading, copy.table, session)
        await asyncio.to_thread(load_log.record_failure, *failed)
        raise
    await backend.execute(load_log.record(loading, copy.table, session))
    return loading.rows


async def run_unload(statement: Unload, backend: Backend, cluster: Cluster) -> UnloadedFiles:
    """Write the rows of a query, which PostgreSQL understands, to S3. Raises Refusal."""
    result = await backend.execute(statement.query)
    columns = await described(backend, result.columns)
    storage = cluster.settings.storage
    return await asyncio.to_thread(unload, statement, columns, result.rows, storage)


async def run_append(append: Append, backend: Backend) -> None:
    """Move all rows of one table to another. Raises Refusal.

    https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE_APPEND.html
    """
    there = {column.name for column in await target_columns(backend, append.target)}
    coming = [column.name for column in await target_columns(backend, append.source)]
    extra = (append.extra or "").upper()
    if extra != "IGNOREEXTRA" and not there.issuperset(coming):
        raise Refusal("42703", f"{append.source} has columns that {append.target} has not")
    if extra != "FILLTARGET" and not there.issubset(coming):
        raise Refusal("42703", f"{append.target} has columns that {append.source} has not")
    names = ", ".join(_quoted(name) for name in coming if name in there)
    await backend.execute(
        f"INSERT INTO {append.target} ({names}) SELECT {names} FROM {append.source}; "
        f"DELETE FROM {append.source}"
    )


async def _chunks(loading: Load) -> AsyncIterator[bytes]:
    chunks = loading.chunks()
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
