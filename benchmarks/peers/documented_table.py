"""The table for peers that load into one that is there: the types that the documentation names."""

from typing import TYPE_CHECKING, Any

from benchmarks.task import COLUMN_TYPES, EVENT_TABLE_COLUMNS, SCHEMA, Task

if TYPE_CHECKING:
    import psycopg


def make_table(connection: "psycopg.Connection[Any]") -> None:
    columns = ", ".join(f'"{name}" {COLUMN_TYPES[name]}' for name in EVENT_TABLE_COLUMNS)
    connection.execute(f"CREATE TABLE {SCHEMA}.events ({columns})".encode())


def connected(task: Task) -> "psycopg.Connection[Any]":
    import psycopg

    assert task.postgres
    return psycopg.connect(task.postgres.url, autocommit=True)
