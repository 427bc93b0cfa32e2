"""The table of PostgreSQL's, which users may make and clear up."""

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from batch_exports.models import JSON, Column
from batch_exports_tests.destinations.property.real_table import RealTable
from batch_exports_tests.destinations.property.source import Landed

_TYPES = {
    "string": "TEXT",
    "int64": "BIGINT",
    "double": "DOUBLE PRECISION",
    "bool": "BOOLEAN",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "list<item: string>": "TEXT[]",
}


@dataclass(frozen=True)
class PostgresTable(RealTable):
    """As the exporter sees it."""

    def make(self) -> list[Landed]:
        """A table of the user's own, other than the export would make it, and the rows in it: they
        have a key and nothing else."""
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(_sql_type(column)))
            for column in reversed(self.shape.projection.columns)
        ]
        key = sql.SQL(", ").join(map(sql.Identifier, self.shape.projection.model.key))
        if self.shape.merges:
            columns.append(sql.SQL("UNIQUE ({})").format(key))
        self.execute(
            "CREATE TABLE {} (id BIGSERIAL PRIMARY KEY, note TEXT DEFAULT 'mine', {})",
            self.name,
            sql.SQL(", ").join(columns),
        )
        rows = []
        for values in (self.shape.keys[0], (*self.shape.keys[0][:-1], "mine")):
            self.execute(
                "INSERT INTO {} ({}) VALUES ({})",
                self.name,
                key,
                sql.SQL(", ").join(map(sql.Literal, values)),
            )
            given = dict(zip(self.shape.projection.model.key, values, strict=True))
            rows.append(tuple(given.get(name) for name in self.shape.names))
        return rows

    def vacuum(self, option: LiteralString) -> None:
        self.execute("VACUUM ({}) {}", sql.SQL(option), self.name)


def _sql_type(column: Column) -> str:
    if column.type.equals(JSON):
        return "JSONB"
    return column.types.get("postgres", _TYPES[str(column.type)])
