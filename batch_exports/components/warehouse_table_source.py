"""A table of a warehouse as a source: identifies of the users that its rows are about."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal

import dagster as dg
from pydantic import Field, PrivateAttr

from batch_exports.components.batch_export import BatchExport
from batch_exports.components.postgres_batch_export import PostgresBatchExport
from batch_exports.components.postgres_connection import PostgresConnection
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.components.redshift_batch_export import RedshiftBatchExport
from batch_exports.components.redshift_connection import RedshiftConnection
from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.redshift_stage import AuthorizationModel, StageModel
from batch_exports.components.source import Source
from batch_exports.components.trait_columns import event_mapping
from batch_exports.components.unload_stage import (
    check_unload_references,
    check_unload_stage,
    keys_of,
    stage_area,
)
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.names import folded
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.interval import Rhythm
from batch_exports.models import IDENTIFIES, Model
from batch_exports.sources.warehouse import WarehouseTable
from batch_exports.sources.warehouse.dialect import POSTGRES, REDSHIFT, Dialect
from batch_exports.sources.warehouse.mapping import IDENTIFYING
from batch_exports.sources.warehouse.synced_table import SyncedTable


class WarehouseTableSource(Source):
    """A table, or a view, in Redshift or PostgreSQL, whose rows tell of users: each data interval
    has what a sync found changed since the one before, as the model identifies.

    The warehouse itself compares the table with what it was, and keeps what it found in a schema
    of its own, so that an interval has the same rows however often it is materialized.
    """

    group: ClassVar[str] = "warehouse"

    connection: str = Field(
        description="The name of the RedshiftConnection or PostgresConnection to read with."
    )
    schema_name: str = Field(alias="schema", description="The schema of the table.")
    table: str = Field(description="The table, or the view.")
    state_schema: str = Field(
        "_rudderstack",
        description="The schema in which the state of each sync is kept; it must exist.",
    )
    primary_key: list[str] = Field(
        description="The columns that tell rows apart. A row without a value in one, and rows that "
        "have all of them in common, are invalid: left out, and kept aside."
    )
    mode: Literal["upsert", "mirror", "full"] = Field(
        "upsert",
        description="upsert: rows that are new or changed. mirror: those that vanished as well. "
        "full: all rows, each time.",
    )
    user_id: str | None = Field(
        None,
        description="The column that holds the user's ID; without it, the one of this name, where "
        "the table has it. The table has to have one of user_id, anonymous_id and email, or the "
        "source to name one; a row without a value in any is invalid.",
    )
    anonymous_id: str | None = Field(
        None, description="The column that holds the ID of a user before they are known; as above."
    )
    email: str | None = Field(
        None, description="The column that holds the user's e-mail address; as above."
    )
    columns: list[str | dict[str, str]] = Field(
        [],
        description="The columns that become traits, each by its name, or with the JSON trait key "
        "that it becomes: {column: ..., trait: ...}, where the trait is a key, a path of keys such "
        "as address.city, or with positions, such as phones[0].number. Empty means all. Those that "
        "identify are no traits.",
    )
    constants: dict[str, Any] = Field(
        {},
        description="Values that all events have: a plain key stands among the traits, a dotted "
        "one, such as context.app.name, at the event's root.",
    )
    stage: StageModel | None = Field(
        None,
        description="For Redshift: where UNLOAD writes what was found, which is then read from "
        "S3, see below. Without it a cursor fetches the rows, which is much slower.",
    )
    authorization: AuthorizationModel | None = Field(
        None,
        description="By what the cluster may write to the stage, see below; without it, by the "
        "keys or role_arn of the stage's connection.",
    )

    _connected: RedshiftConnection | PostgresConnection | None = PrivateAttr(None)
    _rhythms: dict[str, Rhythm] = PrivateAttr(default_factory=dict)

    def check(self) -> None:
        super().check()
        for field in ("schema", "table", "state_schema"):
            name = getattr(self, "schema_name" if field == "schema" else field)
            if not name or not name.isprintable():
                raise ConfigurationError(field, f"{name!r} is not a name.", remedy="Correct it.")
        event_mapping(self.primary_key, self._identifiers, self.columns, self.constants)
        if self.stage is not None:
            check_unload_stage(self.stage, self.authorization)
        elif self.authorization is not None:
            raise ConfigurationError(
                "authorization", "it is of no use without a stage.", remedy="Leave it out."
            )

    def check_references(self, context: dg.ComponentLoadContext) -> None:
        tree = context.component_tree
        known: list[RedshiftConnection | PostgresConnection] = [
            *tree.get_all_components(RedshiftConnection),
            *tree.get_all_components(PostgresConnection),
        ]
        self._connected = next((one for one in known if one.name == self.connection), None)
        if self._connected is None:
            names = ", ".join(sorted(one.name for one in known)) or "none"
            raise ConfigurationError(
                "connection",
                f"there is no RedshiftConnection or PostgresConnection named {self.connection!r}.",
                remedy=f"There is: {names}. Correct the name, or define one.",
            )
        if isinstance(self._connected, RedshiftConnection):
            self._check_names()
            if self.stage is not None:
                check_unload_references(context, self.stage, self.authorization, self._connected)
        elif self.stage is not None:
            raise ConfigurationError(
                "stage", "it is of no use to PostgreSQL.", remedy="Leave it out."
            )

    def _check_names(self) -> None:
        """https://docs.aws.amazon.com/redshift/latest/dg/r_names.html"""
        for field in ("schema", "table", "state_schema"):
            name = getattr(self, "schema_name" if field == "schema" else field)
            if folded(name) != name:
                raise ConfigurationError(
                    field,
                    f"{name!r} is {folded(name)!r} to Redshift, which knows no capitals in names.",
                    remedy=f"Write {folded(name)}.",
                )

    def check_export(self, export: Export) -> None:
        super().check_export(export)
        if export.shards > 1:
            raise ConfigurationError(
                "shards",
                f"what a sync of the source {self.name!r} finds is read by one step.",
                remedy="Leave it out.",
            )
        others = {name: r for name, r in self._rhythms.items() if r != export.rhythm}
        if others:
            raise ConfigurationError(
                "interval",
                f"the export {next(iter(others))!r} syncs the source {self.name!r} at other times: "
                "what the sync of one finds, that of the other would not.",
                remedy="Give both the same interval and timezone, or each a source of its own.",
            )
        self._rhythms[export.name] = export.rhythm

    @property
    def models(self) -> Sequence[Model]:
        return (IDENTIFIES,)

    @property
    def dialect(self) -> Dialect:
        """Known once the connection was found."""
        return POSTGRES if isinstance(self._connected, PostgresConnection) else REDSHIFT

    @property
    def kinds(self) -> set[str]:
        return {self.dialect.name}

    def uri(self, model: Model) -> str:
        return f"{self.dialect.name}://{self.connection}/{self.schema_name}/{self.table}"

    @property
    def synced(self) -> SyncedTable:
        """The table as it is synced; known once the connection was found."""
        mapping = event_mapping(self.primary_key, self._identifiers, self.columns, self.constants)
        return SyncedTable(
            self.name,
            TableName(self.schema_name, self.table),
            self.state_schema,
            self.dialect,
            mapping,
            self.mode,
        )

    @property
    def connected(self) -> RedshiftConnection | PostgresConnection:
        """Known once the connection was found."""
        assert self._connected
        return self._connected

    def reader(self) -> dg.ResourceDefinition:
        synced, connection = self.synced, self.connection
        stage, authorization = self.stage, self.authorization
        staged = {stage.connection, keys_of(stage, authorization)} if stage else set()

        @dg.resource(
            description=f"Syncs {synced.table}, through {connection}.",
            required_resource_keys={connection, *staged},
        )
        def warehouse_table(context: dg.InitResourceContext) -> WarehouseTable:
            server: RedshiftConnectionResource | PostgresConnectionResource = getattr(
                context.resources, connection
            )
            area = stage_area(stage, authorization, context.resources) if stage else None
            run_id = context.run.run_id if context.run else ""
            return WarehouseTable(synced, server.connect, server.uri, area, run_id)

        return warehouse_table

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The asset depends on the exports of this deployment that deliver to the table."""
        definitions = super().build_defs(context)
        deps = [dg.AssetDep(key) for key in self._delivering(context)]
        return definitions.map_asset_specs(func=lambda spec: spec.merge_attributes(deps=deps))

    def _delivering(self, context: dg.ComponentLoadContext) -> list[dg.AssetKey]:
        tree = context.component_tree
        exports: list[Any] = [
            *tree.get_all_components(PostgresBatchExport),
            *tree.get_all_components(RedshiftBatchExport),
        ]
        place = (self.connection, self.schema_name, self.table)
        return [
            dg.AssetKey([export.kind, export.name])
            for export in exports
            if (export.connection, export.schema_name, _table_of(export, context)) == place
        ]

    @property
    def _identifiers(self) -> dict[str, str]:
        """Those that are written."""
        named = {what: getattr(self, what) for what in IDENTIFYING}
        return {what: name for what, name in named.items() if name is not None}


def _table_of(export: Any, context: dg.ComponentLoadContext) -> str | None:
    """Where it delivers to; None for an export that is wrong, which is told of by itself."""
    if export.table is not None:
        return str(export.table)
    known: BatchExport = export
    with suppress(ConfigurationError):
        known.look_up(context)
        return known.export().selection.model.name
    return None
