"""A PostgreSQL database as a source: a table for each model, and what users declare."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import dagster as dg
from pydantic import Field

from batch_exports.components.postgres_connection import PostgresConnection
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.components.references import find
from batch_exports.components.source import Source
from batch_exports.errors import ConfigurationError
from batch_exports.models import MODELS, Model, Query, Table
from batch_exports.sources.postgres.postgres import Postgres


class PostgresSource(Source):
    """Tables of a PostgreSQL database: one for each model, and those of models that you declare.

    A model's table has its columns by the source's names; one that a PostgresBatchExport delivered
    serves as well. A CustomModel names a table, or has a query of its own.
    """

    origins: ClassVar[tuple[type[Table | Query], ...]] = (Table, Query)

    connection: str = Field(description="The name of the PostgresConnection to read with.")
    schema_name: str = Field(
        "public",
        alias="schema",
        description="The schema of the tables, and of names in queries that give none.",
    )
    tables: dict[str, str] = Field(
        {},
        description="Tables by their models, such as {events: raw_events}; without, each is "
        "named as its model.",
    )

    def check(self) -> None:
        super().check()
        _check_name("schema", self.schema_name)
        for model, table in self.tables.items():
            if model not in MODELS:
                raise ConfigurationError(
                    "tables",
                    f"{model!r} is no model.",
                    remedy=f"There is: {', '.join(MODELS)}. A CustomModel names its own table.",
                )
            _check_name(f"tables.{model}", table)

    def check_references(self, context: dg.ComponentLoadContext) -> None:
        find(context, PostgresConnection, "connection", self.connection)

    @property
    def models(self) -> Sequence[Model]:
        return tuple(MODELS.values())

    @property
    def kinds(self) -> set[str]:
        return {"postgres"}

    def uri(self, model: Model) -> str:
        match model.origin:
            case Query():
                return f"postgresql://{self.connection}"
            case Table(name, schema):
                schema = schema or self.schema_name
            case _:
                schema, name = self.schema_name, self.tables.get(model.name, model.name)
        return f"postgresql://{self.connection}/{schema}/{name}"

    def reader(self) -> dg.ResourceDefinition:
        connection, name, schema, tables = (
            self.connection,
            self.name,
            self.schema_name,
            self.tables,
        )

        @dg.resource(
            description=f"Reads tables of {schema}, through {connection}.",
            required_resource_keys={connection},
        )
        def postgres(context: dg.InitResourceContext) -> Postgres:
            server: PostgresConnectionResource = getattr(context.resources, connection)
            run_id = context.run.run_id if context.run else ""
            connect = partial(server.connect, reads_only=True)
            return Postgres(connect, server.uri, name, schema, tables, run_id)

        return postgres


def _check_name(field: str, name: str) -> None:
    if not name or not name.isprintable():
        raise ConfigurationError(field, f"{name!r} is not a name.", remedy="Correct it.")
