"""What every way into a stage has in common: COPY of files on S3, and INSERT."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.postgres.table import identifiers
from batch_exports.destinations.redshift.types import Staged


@dataclass(frozen=True)
class Stage:
    """A temporary table, which is gone with its session. `supers` are columns of JSON documents,
    kept as bytes."""

    name: str
    columns: Sequence[Staged]
    supers: frozenset[str] = frozenset()

    @property
    def relation(self) -> sql.Identifier:
        return sql.Identifier(self.name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def values(self) -> sql.Composed:
        """What the columns become in the table, in their order."""
        return sql.SQL(", ").join(column.value for column in self.columns)


@dataclass(frozen=True)
class Loaded:
    """What reached a stage. `bytes` and `sha256` (in hex) are of the files or statements that
    brought it, in their order."""

    rows: int = 0
    bytes: int = 0
    sha256: str = ""


class Loader(Protocol):
    """Fills stages."""

    @property
    def row_bytes(self) -> int | None:
        """The most that all values of a row may have; None without a limit."""
        ...

    def load(
        self, connection: psycopg.Connection[Any], stage: Stage, batches: Iterable[pa.RecordBatch]
    ) -> Loaded:
        """Fill a stage that is empty with all rows of batches that have its columns.

        Raises psycopg's errors, S3's, `Terminal` for rows that Redshift refuses, and what `batches`
        raise.
        """
        ...


def create_stage(connection: psycopg.Connection[Any], stage: Stage) -> None:
    """Make the stage, in the place of one that an earlier try of the session left."""
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(stage.relation))
    connection.execute(creating(stage))


def creating(stage: Stage) -> sql.Composed:
    """The statement that makes the stage."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))
        for column in stage.columns
    )
    return sql.SQL("CREATE TEMP TABLE {} ({})").format(stage.relation, columns)


def insert_from(stage: Stage, table: sql.Composable) -> sql.Composed:
    """The statement that moves the stage's rows into a table."""
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
        table, identifiers(stage.names), stage.values, stage.relation
    )
