"""Warehouses that tests have: a schema of tables, a schema of state, and sources between them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.postgres.table import TableName
from batch_exports.interval import DataInterval
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports.models import IDENTIFIES
from batch_exports.sources.source import Selection
from batch_exports.sources.warehouse import WarehouseTable
from batch_exports.sources.warehouse.dialect import POSTGRES, REDSHIFT, Dialect
from batch_exports.sources.warehouse.grants import Grants
from batch_exports.sources.warehouse.mapping import EventMapping
from batch_exports.sources.warehouse.synced_table import SyncedTable
from batch_exports_tests.components import postgres, redshift

START = datetime(2026, 11, 1, tzinfo=UTC)
ALL = Selection(IDENTIFIES, IDENTIFIES.columns, "data_interval_start")
BY_ID = EventMapping(("id",))


def hour(number: int) -> DataInterval:
    start = START + timedelta(hours=number)
    return DataInterval(start, start + timedelta(hours=1))


@dataclass
class Place:
    """A warehouse in which the exporter has what the document grants and no more."""

    server: Server | Emulator
    dialect: Dialect
    admin: psycopg.Connection
    schema: str = field(default_factory=lambda: f"test_{uuid.uuid4().hex[:12]}")
    state: str = field(default_factory=lambda: f"_rudder_{uuid.uuid4().hex[:12]}")

    @property
    def table(self) -> TableName:
        return TableName(self.schema, "persons")

    @property
    def super(self) -> str:
        return "jsonb" if self.dialect is POSTGRES else "SUPER"

    def grants(self, user: str | None = None) -> Grants:
        return Grants(user or self.server.exporter.user, self.table, self.state)

    def make(self, columns: str, *rows: str) -> None:
        """The table, anew, with these rows; both in SQL."""
        self.run("DROP TABLE IF EXISTS persons")
        self.run(f"CREATE TABLE persons ({columns})")
        for row in rows:
            self.run(f"INSERT INTO persons SELECT {row}")
        self.run(self.grants().read_table)

    def run(self, statement: str) -> None:
        """As the administrator, who finds tables by their names alone."""
        self.admin.execute(statement.encode())

    def kept(self, query: str) -> list[tuple[Any, ...]]:
        """What the administrator finds; `state.` is the schema of the state."""
        return self.admin.execute(query.replace("state.", f'"{self.state}".').encode()).fetchall()

    @contextmanager
    def source(
        self, mapping: EventMapping = BY_ID, *, mode: Any = "upsert", **settings: Any
    ) -> Iterator[WarehouseTable]:
        own, stage = settings.pop("name", "crm"), settings.pop("stage", None)
        state = settings.pop("state", self.state)
        trusted = (
            redshift.trusted(self.server, **settings)
            if isinstance(self.server, Emulator)
            else postgres.trusted(self.server, **settings)
        )
        with trusted as connection:
            synced = SyncedTable(own, self.table, state, self.dialect, mapping, mode)
            yield WarehouseTable(synced, connection.connect, connection.uri, stage)


def rows_of(
    source: WarehouseTable, number: int, selection: Selection = ALL
) -> list[dict[str, Any]]:
    """An hour's rows, which are as many as are counted."""
    with source.read(selection, hour(number)) as batches:
        rows = batches.read_all().to_pylist()
    assert source.count(selection, hour(number)) == len(rows)
    return rows


def told(source: WarehouseTable, number: int) -> list[tuple[str, str]]:
    """Operation and record of an hour's rows."""
    return [(row["operation"], row["record_id"]) for row in rows_of(source, number)]


@contextmanager
def place(server: Server | Emulator) -> Iterator[Place]:
    dialect = REDSHIFT if isinstance(server, Emulator) else POSTGRES
    with server.connect(autocommit=True) as admin:
        found = Place(server, dialect, admin)
        user = sql.Identifier(server.exporter.user).as_string()
        for schema in (found.schema, found.state):
            found.run(f'CREATE SCHEMA "{schema}"')
        found.run(f'SET search_path TO "{found.schema}"')
        found.run(f'GRANT USAGE ON SCHEMA "{found.schema}" TO {user}')
        found.run(found.grants().use_state_schema)
        yield found
        for schema in (found.schema, found.state):
            found.run(f'DROP SCHEMA "{schema}" CASCADE')
