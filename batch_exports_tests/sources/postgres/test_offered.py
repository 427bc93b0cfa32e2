"""What a database offers is told by its own description of a table, or of a query."""

from dataclasses import replace

from batch_exports.drift.source_columns import needed_columns, source_columns
from batch_exports.models import EVENTS
from batch_exports.models.declared_query import declared_query
from batch_exports.sources.found_columns import FoundColumn
from batch_exports_tests.sources.events import HOUR, select
from batch_exports_tests.sources.postgres.adapter import PostgresAdapter


def test_columns_of_a_table(postgres: PostgresAdapter) -> None:
    types = {"uuid": "UUID NOT NULL", "_inserted_at": "TIMESTAMPTZ", "odd %": "NUMERIC(10,2)[]"}
    postgres.make("events", types)
    source = postgres.source()
    found = source_columns(source, select(), HOUR)
    assert found
    assert found.columns == (
        FoundColumn("uuid", "uuid", nullable=False),
        FoundColumn("_inserted_at", "timestamp with time zone", nullable=True),
        FoundColumn("odd %", "numeric(10,2)[]", nullable=True),
    )
    # The table of an export has columns by the model's names: those are needed too.
    needed = needed_columns(source, select("uuid", "_inserted_at"))
    assert needed == {"uuid", "_inserted_at", "inserted_at"}


def test_columns_of_a_query(postgres: PostgresAdapter) -> None:
    postgres.make("events", {"uuid": "TEXT NOT NULL", "inserted_at": "TIMESTAMPTZ"})
    query = declared_query(
        "SELECT inserted_at, 1 AS one, uuid FROM events WHERE inserted_at >= {data_interval_start} "
        "AND inserted_at < {data_interval_end}"
    )
    selection = replace(select(), model=replace(EVENTS, name="declared", origin=query))
    found = source_columns(postgres.source(), selection, HOUR)
    assert found
    assert [(column.name, column.type) for column in found.columns] == [
        ("inserted_at", "timestamp with time zone"),
        ("one", "integer"),
        ("uuid", "text"),
    ]
