"""ClickHouse as a source: a self-hosted PostHog's tables, and what users declare."""

from collections.abc import Sequence
from typing import ClassVar

import dagster as dg
from pydantic import Field

from batch_exports.automation.breaker import EXPORT_TAG
from batch_exports.components.clickhouse_connection import (
    ClickHouseConnection,
    ClickHouseConnectionResource,
)
from batch_exports.components.references import find
from batch_exports.components.source import Source
from batch_exports.errors import ConfigurationError
from batch_exports.models import Model, Query, Table
from batch_exports.sources.clickhouse import ClickHouse
from batch_exports.sources.clickhouse.queries import MODELS
from batch_exports.sources.clickhouse.server import Setting
from batch_exports.sources.clickhouse.stream import FIXED

# What every query has of its own.
_OWN = ("log_comment", "query_id", "session_id", *FIXED)


class ClickHouseSource(Source):
    """Events, persons and sessions of a project, out of the ClickHouse of a PostHog that you host.

    Reads PostHog's own tables: `events`, `person`, `person_distinct_id2`,
    `person_distinct_id_overrides`, `raw_sessions`. Rows that ClickHouse has not merged yet are one
    row here. Declared models are any tables and queries of that ClickHouse.
    """

    origins: ClassVar[tuple[type[Table | Query], ...]] = (Table, Query)

    connection: str = Field(description="The ClickHouseConnection to read with.")
    team_id: int = Field(description="The ID of the project, as its URL in PostHog has it.")
    settings: dict[str, str | int | float | bool] = Field(
        {},
        description="ClickHouse's settings for each query, such as max_memory_usage or "
        "max_execution_time (in seconds, a day without).",
    )

    def check(self) -> None:
        super().check()
        self.check_least("team_id", 1)
        for name in self.settings:
            if name in _OWN:
                raise ConfigurationError(
                    "settings",
                    f"{name} is set by the source itself.",
                    remedy="Leave it out.",
                )

    def check_references(self, context: dg.ComponentLoadContext) -> None:
        find(context, ClickHouseConnection, "connection", self.connection)

    @property
    def models(self) -> Sequence[Model]:
        return MODELS

    @property
    def kinds(self) -> set[str]:
        return {"clickhouse"}

    def uri(self, model: Model) -> str:
        match model.origin:
            case Query():
                return f"clickhouse://{self.connection}"
            case Table(name, schema):
                return f"clickhouse://{self.connection}/{f'{schema}.' if schema else ''}{name}"
        return f"clickhouse://{self.connection}/{model.name}"

    def reader(self) -> dg.ResourceDefinition:
        name, connection, team_id = self.name, self.connection, self.team_id
        settings: dict[str, Setting] = dict(self.settings)

        @dg.resource(
            description=f"Reads project {team_id} of a PostHog by the connection {connection}.",
            required_resource_keys={connection},
        )
        def clickhouse(context: dg.InitResourceContext) -> ClickHouse:
            resource: ClickHouseConnectionResource = getattr(context.resources, connection)
            run = context.run
            run_id, export = (run.run_id, _export_of(run)) if run else (None, None)
            return ClickHouse(resource.server(), name, team_id, settings, run_id, export)

        return clickhouse


def _export_of(run: dg.DagsterRun) -> str | None:
    """The export whose run it is; None for one of several."""
    keys = run.asset_selection or {check.asset_key for check in run.asset_check_selection or ()}
    names = {key.path[-1] for key in keys}
    return run.tags.get(EXPORT_TAG) or (names.pop() if len(names) == 1 else None)
