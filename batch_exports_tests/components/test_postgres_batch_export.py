"""Exports to PostgreSQL as users define and run them."""

from datetime import datetime
from typing import Any

import dagster as dg
import pytest

from batch_exports.checks import CHECKS
from batch_exports.components.errors import InvalidComponent
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.person_schema import PERSONS
from batch_exports_tests.components.postgres_warehouse import NEXT, Warehouse, event, person
from batch_exports_tests.deployment import KEY, errors_of

ASSET = dg.AssetKey(["postgres", "events_table"])


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [materialization] = result.asset_materializations_for_node("postgres__events_table")
    return {name: value.value for name, value in materialization.metadata.items()}


def test_a_partition_lands_and_its_checks_read_the_table(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("one"), event("two"), event("late", hour=1.5))
    result = warehouse.run(warehouse.define())
    assert result.success
    assert verdicts(result) == dict.fromkeys(CHECKS, True)
    assert warehouse.rows("SELECT uuid FROM events ORDER BY uuid") == [("one",), ("two",)]
    told = metadata(result)
    assert (told["dagster/partition_row_count"], told["source_rows"]) == (2, 2)
    assert told["dagster/uri"].endswith(f"/analytics/{warehouse.schema}/events")
    assert told["record"].endswith("_batch_exports_ledger")
    assert "files" not in told
    assert warehouse.server.exporter.password not in str(told)


def test_a_row_that_vanishes_from_the_table_fails_row_count(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("one"), event("two"))
    definitions = warehouse.define()
    warehouse.run(definitions)
    warehouse.rows("DELETE FROM events WHERE uuid = 'two' RETURNING 1")
    job = definitions.resolve_implicit_global_asset_job_def()
    check = dg.AssetCheckKey(ASSET, "row_count")
    alone = job.get_subset(asset_selection=set(), asset_check_selection={check})
    result = alone.execute_in_process(partition_key=KEY, instance=warehouse.instance)
    [evaluation] = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "holds 1 rows of the interval; the ledger says 2" in (evaluation.description or "")


def test_persons_are_merged_in_whatever_order_they_come(warehouse: Warehouse) -> None:
    warehouse.put("persons", "a", PERSONS, person("x", (0, 1)), person("y", (0, 1)))
    warehouse.put("persons", "b", PERSONS, person("x", (0, 3), hour=1.1),
                  person("x", (0, 2), hour=1.2), person("z", (0, 0), hour=1.3))  # fmt: skip
    definitions = warehouse.define("model: persons")
    for key in (NEXT, KEY, NEXT):
        result = warehouse.run(definitions, key)
        assert result.success
        assert all(verdicts(result).values())
        assert "versions" in verdicts(result)
    query = "SELECT distinct_id, person_version, properties FROM persons ORDER BY distinct_id"
    versions = {"x": 3, "y": 1, "z": 0}
    assert warehouse.rows(query) == [(k, v, {"version": v}) for k, v in versions.items()]
    assert metadata(result)["changed_rows"] == 0


def test_an_older_row_put_into_the_table_fails_versions(warehouse: Warehouse) -> None:
    warehouse.put("persons", "a", PERSONS, person("x", (0, 1)), person("y", (0, 1)))
    definitions = warehouse.define("model: persons")
    warehouse.run(definitions)
    warehouse.rows("UPDATE persons SET person_version = 0 WHERE distinct_id = 'x' RETURNING 1")
    job = definitions.resolve_implicit_global_asset_job_def()
    check = dg.AssetCheckKey(ASSET, "versions")
    alone = job.get_subset(asset_selection=set(), asset_check_selection={check})
    result = alone.execute_in_process(partition_key=KEY, instance=warehouse.instance)
    [evaluation] = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "Rows older than the source's: 1, such as" in (evaluation.description or "")


def test_what_the_table_cannot_hold_is_rejected_and_told(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("fine"), event("long", event="e" * 201),
                  event("nul", properties='{"a": "\\u0000"}'))  # fmt: skip
    result = warehouse.run(warehouse.define())
    assert verdicts(result) == {**dict.fromkeys(CHECKS, True), "values": False}
    assert warehouse.rows("SELECT uuid FROM events ORDER BY 1") == [("fine",), ("nul",)]
    kept = warehouse.rows(
        "SELECT action, column_name, original, row_key ->> 'uuid' FROM events_rejects ORDER BY 1"
    )
    assert kept == [
        ("rejected", "event", b"e" * 201, "long"),
        ("replaced", "properties", b'{"a": "\\u0000"}', "nul"),
    ]


def test_a_column_that_the_table_lacks_is_told(warehouse: Warehouse) -> None:
    with warehouse.server.connect(warehouse.server.exporter) as connection:
        connection.execute(
            f"CREATE TABLE {warehouse.schema}.events (uuid text, event text, mine int)".encode()
        )
    warehouse.put("events", "a", EVENTS, event("one"))
    result = warehouse.run(warehouse.define())
    assert result.success
    [schema] = [e for e in result.get_asset_check_evaluations() if e.check_name == "schema"]
    assert not schema.passed
    assert schema.severity is dg.AssetCheckSeverity.WARN
    assert "'properties' is left out" in (schema.description or "")
    added = warehouse.run(warehouse.define("on_missing_column: add"))
    assert verdicts(added)["schema"]
    assert warehouse.rows("SELECT uuid, properties, mine FROM events") == [("one", {}, None)]
    failed = warehouse.run(warehouse.define("on_missing_column: fail", "columns: [uuid, ip]"))
    assert failed.success


def test_several_partitions_in_one_run(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("one"), event("two", hour=1.5))
    job = warehouse.define("partitions_per_run: 2").resolve_job_def("events_table_job")
    tags = {
        "dagster/asset_partition_range_start": KEY,
        "dagster/asset_partition_range_end": NEXT,
    }
    result = job.execute_in_process(tags=tags, instance=warehouse.instance)
    assert result.success
    assert warehouse.rows("SELECT uuid FROM events ORDER BY 1") == [("one",), ("two",)]


def test_an_unknown_server_is_told_with_its_remedy(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("one"))
    definitions = warehouse.define()
    warehouse.monkeypatch.setenv("TEST_PG_PASSWORD", "wrong-secret")
    result = warehouse.run(definitions)
    assert not result.success
    [error] = errors_of(result)
    assert "password" in error
    assert "wrong-secret" not in error


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["write_mode: merge"], "rows of events have no versions to merge by"),
        (["model: persons", "columns: [team_id, distinct_id]"], "'person_distinct_id_version'"),
        (["model: persons", "columns: [distinct_id]"], "lacks 'team_id'"),
        ([f"table: {'t' * 56}"], "has 56 bytes"),
        (["table: ''"], "'' is not a name"),
        (["parallelism: 0"], "0 is too small"),
        (["parallelism: 17"], "17 is too large"),
        (["parallelism: 2", "shards: 2"], "each of 2 shards loads by one connection"),
        (["write_mode: upsert"], "upsert"),
        (["on_missing_column: drop"], "drop"),
        (["tabel: events"], "Did you mean table?"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_told_when_it_is_loaded(
    warehouse: Warehouse, lines: list[str], problem: str
) -> None:
    with pytest.raises(InvalidComponent) as caught:
        warehouse.define(*lines)
    assert problem in str(caught.value)
    assert "defs.yaml:" in str(caught.value)


def test_persons_merge_and_events_replace_unless_told(warehouse: Warehouse) -> None:
    for lines, mode in [
        ([], "replace"),
        (["model: persons"], "merge"),
        (["model: sessions"], "merge"),
        (["model: persons", "write_mode: replace"], "replace"),
        (["write_mode: append"], "append"),
    ]:
        graph = warehouse.define(*lines).resolve_asset_graph()
        assert graph.get(ASSET).metadata["write_mode"] == mode
        checks = {key.name for key in graph.asset_check_keys}
        assert ("versions" in checks) == (mode == "merge")


def test_times_of_day_are_utc(warehouse: Warehouse) -> None:
    moment = datetime.fromisoformat("2026-11-01T00:59:59.999999+00:00")
    warehouse.put("events", "a", EVENTS, event("one", inserted_at=moment, timestamp=moment))
    assert warehouse.run(warehouse.define()).success
    assert warehouse.rows("SELECT timestamp FROM events") == [(moment,)]
