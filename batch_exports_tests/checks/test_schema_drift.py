"""Columns that change at either end are told by the next partition, until they are approved."""

from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa

from batch_exports.automation.alerts.endings import read_endings
from batch_exports.drift.approved_schema import ApprovedSchema, approved_schema, keep_approved
from batch_exports.drift.both_ends import BothEnds
from batch_exports.local.event_schema import EVENTS
from batch_exports.sources.found_columns import FoundColumn, FoundColumns
from batch_exports_tests.automation.sensors import exports
from batch_exports_tests.checks.evaluations import metadata_of
from batch_exports_tests.components.postgres_warehouse import NEXT, Warehouse, event

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
COLUMNS = "columns: [uuid, event, timestamp]"


def drift_of(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    assert result.success
    evaluations = result.get_asset_check_evaluations()
    return next(each for each in evaluations if each.check_name == "schema_drift")


def lines(evaluation: dg.AssetCheckEvaluation) -> list[str]:
    """Of the diff, without its head."""
    told: str = metadata_of(evaluation)["drift"]
    return told.splitlines()[2:]


def test_a_column_that_nobody_exports_warns_within_a_partition(warehouse: Warehouse) -> None:
    definitions = warehouse.define(COLUMNS)
    warehouse.put("events", "a", EVENTS, event("one"))
    first = drift_of(warehouse.run(definitions))
    assert first.passed
    told = metadata_of(first)
    assert told["approved"].endswith("by the first delivery")
    assert (told["source_columns"], told["destination_columns"]) == (len(EVENTS), 3)
    warehouse.put(
        "events", "b", EVENTS.append(pa.field("note", pa.int64())), event("two", hour=1.5, note=1)
    )
    result = warehouse.run(definitions, NEXT)
    second = drift_of(result)
    assert (second.passed, second.severity) == (False, WARN)
    assert lines(second) == ["| source | `note` | added, not exported |  | `int64` |"]
    assert "`batch-exports approve events_table` shows all" in (second.description or "")
    assert metadata_of(second)["source_changes"] == 1
    assert warehouse.rows("SELECT uuid FROM events ORDER BY 1") == [("one",), ("two",)]
    endings, _ = read_endings(warehouse.instance, exports(), 0)
    assert not any(check.red for ending in endings for check in ending.checks), "nobody is called"
    # Once it is gone from the source, so is the drift.
    warehouse.put("events", "b", EVENTS, event("two", hour=1.5))
    assert drift_of(warehouse.run(definitions, NEXT)).passed


def test_a_table_that_somebody_alters_is_an_error(warehouse: Warehouse) -> None:
    definitions = warehouse.define(COLUMNS)
    warehouse.put("events", "a", EVENTS, event("one"), event("two", hour=1.5))
    drift_of(warehouse.run(definitions))
    alter(warehouse, "ALTER TABLE events ALTER event TYPE text, ADD mine int")
    second = drift_of(warehouse.run(definitions, NEXT))
    assert (second.passed, second.severity) == (False, ERROR)
    change = "| destination | `event` | other type | `character varying(200)` | `text` |"
    assert lines(second) == [change], "a column of the user's own is the user's matter"
    endings, _ = read_endings(warehouse.instance, exports(), 0)
    red = [check.check for ending in endings for check in ending.checks if check.red]
    assert red == ["schema_drift"]
    alter(warehouse, "ALTER TABLE events ALTER event SET NOT NULL")
    assert "`text NOT NULL`" in lines(drift_of(warehouse.run(definitions, NEXT)))[0]


def alter(warehouse: Warehouse, statement: str) -> None:
    with warehouse.server.connect(warehouse.server.exporter) as connection:
        connection.execute(f"SET search_path TO {warehouse.schema}".encode())
        connection.execute(statement.encode())


def test_a_declared_column_that_is_gone_at_the_source(warehouse: Warehouse) -> None:
    """It comes out of another one, so that the delivery goes on without a word."""
    definitions = warehouse.define("columns: [uuid, event, timestamp, ip]")
    warehouse.put("events", "a", EVENTS, event("one"))
    drift_of(warehouse.run(definitions))
    without = EVENTS.remove(EVENTS.get_field_index("ip"))
    warehouse.put("events", "b", without, event("two", hour=1.5))
    second = drift_of(warehouse.run(definitions, NEXT))
    assert (second.passed, second.severity) == (False, ERROR)
    assert lines(second) == ["| source | `ip` | removed | `string` |  |"]


def test_what_was_approved_is_kept_whole() -> None:
    ends = BothEnds(
        FoundColumns((FoundColumn("a b", 'x"y'), FoundColumn("c", "", nullable=False)), True),
        FoundColumns((FoundColumn("d", "int", nullable=True),)),
    )
    approved = ApprovedSchema(ends, datetime(2026, 11, 1, 9, tzinfo=UTC), "jo")
    unknown = ApprovedSchema(BothEnds(None, ends.destination), approved.at, "jo")
    with dg.DagsterInstance.ephemeral() as instance:
        assert approved_schema(instance, "one") is None
        keep_approved(instance, "one", unknown)
        assert approved_schema(instance, "one") == unknown
        keep_approved(instance, "one", approved)
        assert approved_schema(instance, "one") == approved
        assert approved_schema(instance, "other") is None
