"""The table as others see and change it: by PostgreSQL itself, without the product."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.models import JSON, TIMESTAMP
from batch_exports_tests.destinations.property.expected import Observed
from batch_exports_tests.destinations.property.source import (
    INTERVALS,
    Finding,
    Landed,
    Shape,
)
from batch_exports_tests.destinations.property.values import comparable

NAME = "exported"
STARTS = {interval.start: number for number, interval in enumerate(INTERVALS)}


@dataclass(frozen=True)
class RealTable:
    """The one table of a schema, which a session sees.

    Subclasses know what differs between destinations.
    """

    connection: psycopg.Connection[Any]
    schema: str
    shape: Shape

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(self.schema, NAME)

    def clear(self) -> None:
        """Drop all that is in the schema."""
        found = self.connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = to_regnamespace(%s)",
            [self.schema],
        )
        for (name,) in found.fetchall():
            self.execute("DROP TABLE {}", sql.Identifier(self.schema, name))

    def has(self, table: str) -> bool:
        found = self.connection.execute("SELECT to_regclass(%s)", [f"{self.schema}.{table}"])
        return found.fetchone() != (None,)

    def observe(self) -> Observed:
        return Observed(self._rows(), self._runs(), self.findings())

    def sessions(self, run_id: str) -> list[int]:
        """The processes of the server that serve a run."""
        statement = (
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s ORDER BY backend_start"
        )
        return [pid for (pid,) in self.connection.execute(statement, [f"% {run_id}"])]

    def end_session(self, run_id: str, number: int) -> None:
        pids = self.sessions(run_id)
        self.connection.execute("SELECT pg_terminate_backend(%s)", [pids[number % len(pids)]])

    def delete(self, key: Landed) -> None:
        self.execute("DELETE FROM {} WHERE {}", self.name, self._is(key))

    def double(self, key: Landed) -> None:
        self.execute(
            "INSERT INTO {0} ({1}) SELECT {1} FROM {0} WHERE {2}",
            self.name,
            sql.SQL(", ").join(map(sql.Identifier, self.shape.names)),
            self._is(key),
        )

    def _rows(self) -> Counter[Landed]:
        fields = list(self.shape.projection.schema)
        shown = [sql.SQL(self.shown(f.type)).format(sql.Identifier(f.name)) for f in fields]
        return Counter(
            tuple(comparable(value, field.type) for value, field in zip(row, fields, strict=True))
            for row in self.select(sql.SQL(", ").join(shown), NAME)
        )

    def _runs(self) -> dict[int, str]:
        found = self.select(sql.SQL("interval_start, run_id"), "_batch_exports_ledger")
        return {STARTS[start]: run_id for start, run_id in found}

    def shown(self, type_: pa.DataType) -> LiteralString:
        """What to select of a column of that type: times of all years, which Python's do not
        reach, documents and lists as JSON."""
        if type_.equals(TIMESTAMP):
            return "(extract(epoch FROM {}) * 1000000)::bigint"
        if pa.types.is_list(type_):
            return "to_json({})::text"
        return "{}::text" if type_.equals(JSON) else "{}"

    def findings(self) -> Counter[Finding]:
        texts = {
            field.name
            for field in self.shape.projection.schema
            if field.type.equals(JSON) or pa.types.is_string(field.type)
        }
        columns = sql.SQL("interval_start, action, column_name, original")
        return Counter(
            (STARTS[start], action, name, original if name in texts else None)
            for start, action, name, original in self.select(columns, f"{NAME}_rejects")
        )

    def select(self, columns: sql.Composable, table: str) -> list[tuple[Any, ...]]:
        """All rows; none where there is no such table."""
        if not self.has(table):
            return []
        name = sql.Identifier(self.schema, table)
        statement = sql.SQL("SELECT {} FROM {}").format(columns, name)
        return self.connection.execute(statement).fetchall()

    def execute(self, statement: LiteralString, *parts: sql.Composable) -> None:
        self.connection.execute(sql.SQL(statement).format(*parts))

    def _is(self, key: Landed) -> sql.Composed:
        """The condition that a row has the key."""
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
            for name, value in zip(self.shape.projection.model.key, key, strict=True)
        )
