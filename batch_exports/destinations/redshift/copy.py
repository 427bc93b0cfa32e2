"""Rows into a stage by COPY: Parquet files on S3, and a manifest that names them.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.postgres.table import identifiers
from batch_exports.destinations.redshift.authorization import Authorization
from batch_exports.destinations.redshift.loading import Loaded, Stage
from batch_exports.destinations.redshift.stage_area import StageFolder
from batch_exports.errors import Terminal
from batch_exports.transform.redshift_rows import for_parquet


class RefusedValue(Terminal):
    """COPY does not load a value of the files."""


@dataclass(frozen=True)
class CopyLoader:
    """Puts files into `folder`, `files` of them where there are rows enough, under a name that no
    other run gives its own."""

    folder: StageFolder
    files: int
    label: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def row_bytes(self) -> None:
        return None

    def load(
        self, connection: psycopg.Connection[Any], stage: Stage, batches: Iterable[pa.RecordBatch]
    ) -> Loaded:
        rows = (for_parquet(batch.select(stage.names), stage.supers) for batch in batches)
        with self.folder.upload(f"{self.label}/{stage.name}", rows, self.files) as staged:
            if staged is None:
                return Loaded()
            manifest, loaded = staged
            copy_files(connection, stage, manifest, self.folder.authorization, loaded.rows)
            return loaded


def copy_files(
    connection: psycopg.Connection[Any],
    stage: Stage,
    manifest: str,
    authorization: Authorization,
    rows: int,
) -> None:
    """Load the files of the manifest, an S3 URI.

    Raises `RefusedValue`, and `Terminal` where what was loaded are not `rows`.
    """
    statement = copying(stage, manifest, authorization.clause())
    try:
        connection.execute(statement)
    except psycopg.errors.InternalError_ as error:
        if refused := _load_errors(connection):
            raise RefusedValue(
                f"COPY refuses a staged value: {refused}.",
                remedy="Correct it at the source, or leave the column out. Nothing was delivered.",
            ) from error
        raise
    loaded = connection.execute("SELECT pg_last_copy_count()").fetchone()
    if loaded is None or loaded[0] != rows:
        count = loaded[0] if loaded else "no"
        raise Terminal(
            f"COPY loaded {count} rows out of {manifest}, which has {rows}.",
            remedy="Materialize the partition again. Nothing was delivered.",
        )


def copying(stage: Stage, manifest: str, authorization: sql.Composable) -> sql.Composed:
    """The statement that loads the files of the manifest, an S3 URI."""
    return sql.SQL("COPY {} ({}) FROM {} {} MANIFEST FORMAT AS PARQUET STATUPDATE OFF").format(
        stage.relation, identifiers(stage.names), sql.Literal(manifest), authorization
    )


# https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
_ERRORS = """
SELECT file_name, line_number, column_name, column_type, error_code, error_message
FROM sys_load_error_detail WHERE query_id = pg_last_copy_id() ORDER BY line_number LIMIT 1
"""


def _load_errors(connection: psycopg.Connection[Any]) -> str:
    """The first value that COPY refused, by its place; empty where it told of none."""
    if connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
        return ""  # in a transaction that failed nothing can be asked
    try:
        found = connection.execute(_ERRORS).fetchone()
    except psycopg.Error:
        return ""  # the error under way is the one to report
    if found is None:
        return ""
    file, line, column, type_, code, message = (str(part or "").strip() for part in found)
    return f"{message} (error {code}) in the column {column!r} {type_}, row {line} of {file}"
