"""The columns that ClickHouse has for a model: of its table, or of its query."""

from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS, PERSONS, SESSIONS, Table
from batch_exports.sources.clickhouse import declared, sessions
from batch_exports.sources.clickhouse.clickhouse import ClickHouse
from batch_exports.sources.found_columns import FoundColumn, FoundColumns
from batch_exports.sources.source import Selection

_TABLES = {EVENTS.name: "events", PERSONS.name: "person", SESSIONS.name: sessions.TABLE}
# What is computed of other columns; PostHog makes one for each property that it reads often:
# https://github.com/PostHog/posthog/blob/master/ee/clickhouse/materialized_columns/columns.py
_COMPUTED = ("MATERIALIZED", "ALIAS", "EPHEMERAL")
_OF_PROPERTIES = ("mat_", "pmat_")


def offered(source: ClickHouse, selection: Selection, interval: DataInterval) -> FoundColumns:
    """By DESCRIBE TABLE, for which no row is read; a type tells whether it may be NULL. PostHog's
    tables are told without the columns that it makes of properties.

    Raises `Terminal` and `Transient`.
    """
    model = selection.model
    origin = model.origin or Table(_TABLES[model.name])
    rows = source.ask(declared.describe(origin), model, interval).to_pylist()
    own = [
        row
        for row in rows
        if model.origin
        or not (row["default_type"] in _COMPUTED or row["name"].startswith(_OF_PROPERTIES))
    ]
    return FoundColumns(tuple(FoundColumn(row["name"], row["type"]) for row in own))
