"""Exports to PostgreSQL as users define and run them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.checks import CHECKS
from batch_exports.components.errors import InvalidComponent
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.person_schema import PERSONS
from batch_exports.local.postgres_server import Server
from batch_exports_tests.deployment import KEY, LAKE, START, errors_of, load

CONNECTION = """\
type: batch_exports.PostgresConnection
attributes:
  name: warehouse
  host: "{{ env.TEST_PG_HOST }}"
  port: "{{ env.TEST_PG_PORT }}"
  database: analytics
  user: "{{ env.TEST_PG_USER }}"
  password: {env: TEST_PG_PASSWORD}
  ssl_root_cert: "{{ env.TEST_PG_ROOT }}"
---
"""
EXPORT = """\
---
type: batch_exports.PostgresBatchExport
attributes:
  name: events_table
  source: lake
  model: events
  start: "2026-11-01"
  connection: warehouse
"""
ASSET = dg.AssetKey(["postgres", "events_table"])
NEXT = "2026-11-01-01:00"


@dataclass
class Warehouse:
    """A schema on a real server, a lake in a folder, and exports between them."""

    folder: Path
    server: Server
    schema: str
    monkeypatch: pytest.MonkeyPatch
    instance: dg.DagsterInstance

    def define(self, *lines: str) -> dg.Definitions:
        variables = {
            "TEST_PG_HOST": self.server.host,
            "TEST_PG_PORT": str(self.server.port),
            "TEST_PG_USER": self.server.exporter.user,
            "TEST_PG_PASSWORD": self.server.exporter.password,
            "TEST_PG_ROOT": str(self.server.root_certificate),
        }
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
        lake = LAKE.replace("path: lake", f"path: {self.folder / 'lake'}")
        export = EXPORT + f"  schema: {self.schema}\n" + "".join(f"  {line}\n" for line in lines)
        if any(line.startswith("model:") for line in lines):
            export = export.replace("  model: events\n", "")
        files = {"a/defs.yaml": CONNECTION + lake + export}
        return load(self.folder / "defs", files, self.monkeypatch)

    def put(self, model: str, name: str, schema: pa.Schema, *rows: dict[str, Any]) -> None:
        folder = self.folder / "lake" / model
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), folder / f"{name}.parquet")

    def run(self, definitions: dg.Definitions, key: str = KEY) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def("events_table_job")
        return job.execute_in_process(
            partition_key=key, instance=self.instance, raise_on_error=False
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.server.exporter) as connection:
            connection.execute(f"SET search_path TO {self.schema}".encode())
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def warehouse(
    tmp_path: Path,
    postgres_server: Server,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Warehouse]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Warehouse(tmp_path, postgres_server, postgres_schema, monkeypatch, instance)


def event(uuid: str, *, hour: float = 0.5, **given: Any) -> dict[str, Any]:
    moment = START + timedelta(hours=hour)
    times = {"timestamp": moment, "created_at": moment, "inserted_at": moment}
    return {"uuid": uuid, "event": "seen", "team_id": 1, "properties": "{}", **times, **given}


def person(
    key: str, versions: tuple[int, int], *, hour: float = 0.5, **given: Any
) -> dict[str, Any]:
    moment = START + timedelta(hours=hour)
    return {
        "team_id": 1,
        "distinct_id": key,
        "person_id": f"person of {key}",
        "properties": f'{{"version": {versions[1]}}}',
        "person_distinct_id_version": versions[0],
        "person_version": versions[1],
        "created_at": START,
        "inserted_at": moment,
        **given,
    }


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
