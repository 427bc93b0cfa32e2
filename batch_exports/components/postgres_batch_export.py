"""An export to a table in PostgreSQL."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import dagster as dg
from pydantic import Field

from batch_exports.components.batch_export import BatchExport
from batch_exports.components.column_names import check_column_names
from batch_exports.components.merging import check_merge
from batch_exports.components.postgres_connection import PostgresConnection
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.components.references import find
from batch_exports.components.scaffolder import PostgresBatchExportScaffolder
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.postgres.types import made_type
from batch_exports.errors import ConfigurationError
from batch_exports.models import Column
from batch_exports.sources.source import Selection

# PostgreSQL cuts longer names in silence: NAMEDATALEN - 1.
_NAME_BYTES = 63
# More than any server's processors would make good use of.
_MOST_CONNECTIONS = 16


@dg.scaffold_with(PostgresBatchExportScaffolder)
class PostgresBatchExport(BatchExport):
    """Delivers a model's rows to a PostgreSQL table, an interval in one transaction.

    A missing table is made. Beside it stand `<table>_rejects`, with what it cannot hold, and
    `_batch_exports_ledger`, with what was delivered.
    """

    kind: ClassVar[str] = "postgres"

    connection: str = Field(description="The name of the PostgresConnection to write with.")
    schema_name: str = Field(
        "public", alias="schema", description="The schema of the table; it must exist."
    )
    table: str | None = Field(
        None, description="The table, made if it is missing; without it, named as the model."
    )
    write_mode: Literal["replace", "merge", "append"] | None = Field(
        None,
        description="replace: an interval's rows take the place of those delivered before (the "
        "default for events). merge: the newest row of each key stays (the default for persons "
        "and sessions). append: rows are added, and are there twice when a partition is "
        "materialized twice.",
    )
    on_missing_column: Literal["ignore", "fail", "add"] = Field(
        "ignore",
        description="A column that the table lacks. ignore: it is left out, and the schema check "
        "warns; fail: the run fails; add: it is added to the table.",
    )
    parallelism: int = Field(
        1,
        description="Connections that load an interval. With more than one, rows are staged in "
        "tables of their own, and moved in one transaction.",
    )

    def check(self) -> None:
        super().check()
        self.check_least("parallelism", 1)
        if self.parallelism > _MOST_CONNECTIONS:
            raise ConfigurationError(
                "parallelism",
                f"{self.parallelism} is too large.",
                remedy=f"Give {_MOST_CONNECTIONS} or less; partitions run in parallel as well.",
            )
        if self.parallelism > 1 and self.shards > 1:
            raise ConfigurationError(
                "parallelism",
                f"each of {self.shards} shards loads by one connection.",
                remedy="Leave parallelism or shards out.",
            )
        self._check_name("schema", self.schema_name, _NAME_BYTES)

    def _check_name(self, field: str, name: str, longest: int) -> None:
        if not name or not name.isprintable():
            raise ConfigurationError(field, f"{name!r} is not a name.", remedy="Correct it.")
        if len(name.encode()) > longest:
            raise ConfigurationError(
                field,
                f"{name!r} has {len(name.encode())} bytes.",
                remedy=f"Give it {longest} at most: PostgreSQL cuts names after {_NAME_BYTES}, and "
                f"the table of rejects is named {rejects_of('<table>')}.",
            )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            find(context, PostgresConnection, "connection", self.connection)
        return super().build_defs(context)

    def destination(self, selection: Selection) -> Callable[[Any], PostgresDestination]:
        self._check_name("table", self._table, _NAME_BYTES - len(rejects_of("")))
        check_column_names(selection, "PostgreSQL", longest=_NAME_BYTES, kept=str)
        if self.merges:
            check_merge(selection)

        def reached(resources: Any) -> PostgresDestination:
            connection: PostgresConnectionResource = getattr(resources, self.connection)
            return PostgresDestination(
                connect=connection.connect,
                address=connection.uri,
                name=TableName(self.schema_name, self._table),
                export=self.name,
                projection=selection,
                write_mode=self._mode,
                on_unrepresentable=self.on_unrepresentable,
                on_missing_column=self.on_missing_column,
                parallelism=self.parallelism,
                shards=self.shards,
            )

        return reached

    @property
    def appends(self) -> bool:
        return self._mode == "append"

    @property
    def merges(self) -> bool:
        return self._mode == "merge"

    @property
    def unsharded(self) -> str:
        return ""

    @property
    def pool(self) -> str:
        return self.connection

    @property
    def destination_resources(self) -> frozenset[str]:
        return frozenset({self.connection})

    @property
    def asset_metadata(self) -> Mapping[str, Any]:
        return {
            "dagster/uri": f"postgresql://{self.connection}/{self.schema_name}/{self._table}",
            "dagster/table_name": f"{self.schema_name}.{self._table}",
            "dagster/storage_kind": "postgres",
            "write_mode": self._mode,
        }

    def _column_type(self, column: Column) -> str:
        return made_type(column)

    @property
    def _table(self) -> str:
        return self.table if self.table is not None else self._model().name

    @property
    def _mode(self) -> WriteMode:
        return self.write_mode or ("merge" if self._model().versions else "replace")
