"""ClickHouse for the suite of all sources: PostHog's table of events, and tables of its own."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from batch_exports.interval import DataInterval
from batch_exports.local.clickhouse.server import Server
from batch_exports.models import Column, Model
from batch_exports.sources.clickhouse import ClickHouse
from batch_exports.sources.clickhouse import Server as Address
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.events import lay_events, lay_large

TEAM_ID = 1
_TYPES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_int64, "Nullable(Int64)"),
    (pa.types.is_int32, "Nullable(Int32)"),
    (pa.types.is_float64, "Nullable(Float64)"),
    (pa.types.is_float32, "Nullable(Float32)"),
    (pa.types.is_boolean, "Nullable(Bool)"),
    (pa.types.is_timestamp, "Nullable(DateTime64(6, 'UTC'))"),
    (pa.types.is_list, "Array(Nullable(String))"),
)


@dataclass
class ClickHouseAdapter:
    """Each has a database of its own, with PostHog's table of events in it."""

    server: Server
    folder: Path
    database: str = field(default_factory=lambda: f"test_{uuid.uuid4().hex[:12]}")
    # DateTime64 reaches from 1900 to 2299, and no Array may be NULL.
    unheld: frozenset[str] = frozenset({"first moment", "last moment", "no list"})

    def __post_init__(self) -> None:
        self.server.run(f"CREATE DATABASE {self.database}")
        for table in ("events", "person_distinct_id_overrides"):
            self.server.run(f"CREATE TABLE {self.database}.{table} AS posthog.{table}")

    def lay(self, model: Model, rows: pa.Table) -> None:
        path = self.folder / f"{uuid.uuid4().hex}.parquet"
        pq.write_table(rows, path)
        names = ", ".join(f"`{name}`" for name in rows.column_names)
        if model.origin:
            columns = ", ".join(
                f"`{column.name}` {_type(column)}"
                for column in model.columns
                if column.name in rows.column_names
            )
            self.server.run(
                f"CREATE TABLE {self.database}.{model.name} ({columns}) "
                "ENGINE = MergeTree ORDER BY tuple()"
            )
        self.server.run(
            f"INSERT INTO {self.database}.{model.name} ({names}) "
            f"SELECT {names} FROM file('{path}', Parquet)"
        )

    def lay_rows(self, rows: Mapping[DataInterval, int]) -> Selection:
        return lay_events(self.lay, rows)

    def lay_much(self) -> Selection:
        return lay_large(self.lay, 10_000)

    def source(self, port: int | None = None) -> ClickHouse:
        return ClickHouse(address(self.server, self.database, port), "clickhouse", TEAM_ID)

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server.port)

    def held(self) -> list[str]:
        return [
            entry.query
            for entry in self.server.query_log()
            if entry.state == "running" and "FROM events" in entry.query
        ]


def address(server: Server, database: str, port: int | None = None) -> Address:
    return Address(
        "127.0.0.1", port or server.port, server.user, server.password, database, secure=False
    )


def _type(column: Column) -> str:
    if pa.types.is_decimal(column.type):
        return f"Nullable(Decimal({column.type.precision}, {column.type.scale}))"
    known = next((type_ for is_kind, type_ in _TYPES if is_kind(column.type)), "Nullable(String)")
    return known if column.nullable else known.removeprefix("Nullable(").removesuffix(")")
