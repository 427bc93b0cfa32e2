"""What a run would do is what it then does; to tell it, nothing is written."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from batch_exports.cli import main
from batch_exports.errors import ConfigurationError
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.person_schema import PERSONS
from batch_exports.lookup import find_export
from batch_exports.plan import Plan, plan
from batch_exports.plan_text import plan_text
from batch_exports_tests.components import redshift_warehouse
from batch_exports_tests.components.postgres_warehouse import Warehouse, event, person
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import KEY, Deployment


def told(name: str = "events_table", key: str = KEY) -> Plan:
    return plan(find_export(name), key)


def steps(found: Plan) -> list[str]:
    assert found.destination
    return [step.what for step in found.destination.steps]


def sql(found: Plan) -> str:
    assert found.destination
    return "\n".join(step.text for step in found.destination.steps)


def tables(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return warehouse.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    )


def test_to_postgres(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("one"), event("two"), event("late", hour=1.5))
    definitions = warehouse.define('exclude_events: ["$feature_flag_called"]')
    first = told()
    assert (first.rows, first.before, first.problems) == (2, None, ())
    assert first.destination
    assert first.destination.columns["properties"] == "JSONB"
    assert sum(what.endswith("which is missing") for what in steps(first)) == 4
    assert steps(first)[-1] == "load the rows"
    assert tables(warehouse) == []
    assert warehouse.run(definitions).success
    second = told()
    assert second.before
    assert second.before.source_rows == 2
    assert second.destination
    assert second.destination.differences == []
    assert second.destination.columns["properties"] == "jsonb"
    assert not any("missing" in what for what in steps(second))
    text = plan_text(second)
    assert "event is none of $feature_flag_called" in text
    assert warehouse.server.exporter.password not in text + plan_text(first)


def test_a_table_that_differs(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("one"))
    with warehouse.server.connect() as connection:
        table = f'"{warehouse.schema}".events'
        connection.execute(f"CREATE TABLE {table} (uuid VARCHAR(50), event TEXT)".encode())
        grant = f"GRANT ALL ON {table} TO {warehouse.server.exporter.user}"
        connection.execute(grant.encode())
    warehouse.define()
    found = told()
    assert found.destination
    assert set(found.destination.columns) == {"uuid", "event"}
    differs = found.destination.differences
    assert "uuid is character varying(50) there, and would be made as VARCHAR(200)" in differs
    assert "properties is not there: the column is left out" in differs
    warehouse.define("on_missing_column: fail")
    (problem,) = told().problems
    assert "has no column" in problem


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["model: persons", "write_mode: merge"], ["ON CONFLICT", "CREATE TEMPORARY TABLE"]),
        (["write_mode: append"], ["COPY"]),
        (["parallelism: 3"], ["INSERT INTO"]),
        (["shards: 3"], ["INSERT INTO"]),
    ],
)
def test_ways_into_postgres(warehouse: Warehouse, lines: list[str], expected: list[str]) -> None:
    warehouse.put("events", "a", EVENTS, event("one"))
    warehouse.put("persons", "a", PERSONS, person("x", (0, 1)))
    warehouse.define(*lines)
    found = told()
    assert found.problems == ()
    assert all(text in sql(found) for text in expected)


def test_rows_that_no_column_places_are_found_by_their_writer(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("one"))
    assert warehouse.run(warehouse.define("columns: [uuid, event]")).success
    again = told()
    assert steps(again) == ["delete what deliveries of the interval wrote", "load the rows"]
    assert "xmin" in sql(again)


@pytest.mark.parametrize("way", ["COPY", "merge"])
def test_to_redshift_what_is_told_is_done(cluster: redshift_warehouse.Warehouse, way: str) -> None:
    cluster.put("events", EVENTS, event("one"), event("two"))
    cluster.put("persons", PERSONS, person("x", (0, 1)))
    lines = {
        "COPY": [cluster.stage, f"authorization: {{role_arn: {ROLE_ARN}}}"],
        "merge": ["model: persons", "mode: INSERT"],
    }
    definitions = cluster.define(*lines[way])
    found = told()
    assert found.problems == ()
    assert found.destination
    assert "CREATE T" not in " ".join(cluster.emulator.statements)
    assert cluster.run(definitions).success
    done = set(cluster.emulator.statements)
    missing = [
        step.what
        for step in found.destination.steps
        if step.text not in done and not step.text.startswith(("s3://", "DELETE FROM"))
    ]
    # The name of a run, and the rows, are no part of a plan.
    unsaid = {"COPY": ["load the files"]}.get(way, ["load the rows, as many a statement as fit"])
    assert missing == unsaid
    again = told()
    assert again.before
    assert not any("missing" in what for what in steps(again))
    assert again.destination
    assert again.destination.differences == []


def test_keys_of_a_stage_are_not_told(cluster: redshift_warehouse.Warehouse) -> None:
    cluster.put("events", EVENTS, event("one"))
    cluster.define(cluster.stage)
    text = plan_text(told())
    assert "<the authorization>" in text
    assert cluster.s3.admin.secret_access_key not in text


def test_to_s3_as_a_command(deployment: Deployment) -> None:
    deployment.put_events("a", {"hour": 0.5}, {"hour": 0.6})
    deployment.define("timezone: Europe/Berlin", "max_file_size_mib: 5")
    words = ["plan", "events_archive", "--partition", "2026-11-01-01:00", "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["interval"]["start"] == "2026-11-01T00:00:00+00:00"
    assert found["interval"]["local_start"] == "2026-11-01T01:00:00+01:00"
    assert found["source"]["rows"] == 2
    (file,) = found["source"]["files"]
    assert file["uri"].endswith("events/a.parquet")
    texts = [step["text"] for step in found["destination"]["steps"]]
    assert texts[-1].endswith("20261101T000000Z-20261101T010000Z_manifest.json")
    assert deployment.objects() == []
    assert deployment.run("2026-11-01-01:00").success
    assert {f"s3://{deployment.bucket}/{key}" for key in deployment.objects()} <= {*texts}
    text = CliRunner().invoke(main, words[:-1]).output
    assert "local        2026-11-01T01:00:00+01:00" in text
    assert "a delivery of 2 source rows" in text


def test_shards_to_s3(deployment: Deployment) -> None:
    deployment.define("shards: 2")
    deployment.put_events("a", {})
    found = told("events_archive")
    assert found.destination
    [upload] = [step for step in found.destination.steps if "each shard" in step.what]
    assert deployment.run().success
    stem = upload.text.removesuffix("-0.parquet.zst")
    written = [f"s3://{deployment.bucket}/{key}" for key in deployment.objects()]
    assert all(uri.startswith(f"{stem}-") or uri == f"{stem}_manifest.json" for uri in written)


def test_what_cannot_be_reached_is_a_problem(deployment: Deployment) -> None:
    deployment.define(endpoint="http://127.0.0.1:1")
    found = told("events_archive")
    assert (found.source, found.destination) == (None, None)
    assert len(found.problems) == 2
    done = CliRunner().invoke(main, ["plan", "events_archive", "--partition", KEY])
    assert done.exit_code == 1
    assert done.output.count("PROBLEM") == 2
    with pytest.raises(ConfigurationError, match="has no partition '2026-10-31-00:00'"):
        told("events_archive", "2026-10-31-00:00")
