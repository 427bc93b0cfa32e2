"""What somebody changes after its delivery is found, and named; what nobody changed passes."""

import dagster as dg

from batch_exports.checks.content import check_content
from batch_exports.checks.examination import Examination, Outcome, outcome_of
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.person_schema import PERSONS
from batch_exports.lookup import Found, find_export
from batch_exports_tests.checks.evaluations import last
from batch_exports_tests.components import redshift_warehouse
from batch_exports_tests.components.postgres_warehouse import Warehouse, event, person
from batch_exports_tests.deployment import ASSET, KEY, Deployment, check_key

NEXT = "2026-11-01-01:00"
TABLE = "events_table"


def content(found: Found, key: str = KEY) -> Outcome:
    export = found.export
    with (
        found.resources(export.resources) as resources,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        source, destination = export.reader(resources), export.destination(resources)
        it = Examination(
            export, source, destination, export.interval(key), deep=False, instance=instance
        )
        return outcome_of(check_content, it)


def change(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.server.connect(warehouse.server.exporter) as connection:
        connection.autocommit = True
        connection.execute(f'SET search_path TO "{warehouse.schema}"'.encode())
        for statement in statements:
            connection.execute(statement.encode())


def test_rows_of_postgres(warehouse: Warehouse) -> None:
    """https://www.postgresql.org/docs/current/ddl-system-columns.html: `xmin`"""
    events = [event("one"), event("two"), event("three"), event("other", hour=1.5)]
    warehouse.put("events", "a", EVENTS, *events)
    definitions = warehouse.define("parallelism: 2")
    table = find_export(TABLE)
    for key in (KEY, NEXT):
        assert warehouse.run(definitions, key).success
    change(warehouse, "VACUUM FREEZE events", "VACUUM FULL events")
    untouched = content(table)
    assert untouched.passed, untouched.description
    assert "which transaction wrote each (xmin)" in untouched.description
    change(warehouse, "UPDATE events SET event = 'changed' WHERE uuid = 'one'")
    changed = content(table)
    assert not changed.passed
    assert "Of 3 rows that were delivered, 1 are not there as they were" in changed.description
    assert content(table, NEXT).passed
    put_back = "INSERT INTO events (uuid, event) VALUES ('one', 'seen'), ('two', 'seen')"
    change(warehouse, "DELETE FROM events WHERE uuid IN ('one', 'two')", put_back)
    told = content(table).description
    assert told.startswith("Of 3 rows that were delivered, 2 are not there")
    change(warehouse, "INSERT INTO events SELECT * FROM events WHERE uuid = 'three'")
    more = content(table).description
    assert "The table holds 4 rows of the interval; the ledger says 3." in more


def test_a_table_that_was_made_again(warehouse: Warehouse) -> None:
    warehouse.put("events", "a", EVENTS, event("one"), event("two"))
    lines = ("columns: [uuid, event, _inserted_at]", "write_mode: append")
    assert warehouse.run(warehouse.define(*lines)).success
    table = find_export(TABLE)
    assert "(xmin)" in content(table).description
    change(
        warehouse,
        "ALTER TABLE events RENAME TO former",
        "CREATE TABLE events (LIKE former INCLUDING ALL)",
        "INSERT INTO events SELECT * FROM former",
    )
    found = content(table)
    assert found.passed
    assert "not their values: the table is another one" in found.description
    change(warehouse, "DELETE FROM events WHERE uuid = 'one'")
    assert "The table holds 1 rows" in content(table).description


def test_merged_rows(warehouse: Warehouse) -> None:
    warehouse.put("persons", "a", PERSONS, person("x", (0, 1)), person("y", (0, 1)))
    assert warehouse.run(warehouse.define("model: persons", "write_mode: merge")).success
    table = find_export(TABLE)
    found = content(table)
    assert found.passed, found.description
    assert "not values" in found.description
    change(warehouse, "DELETE FROM persons WHERE distinct_id = 'x'")
    assert not content(table).passed


def test_rows_of_redshift(cluster: redshift_warehouse.Warehouse) -> None:
    cluster.put("events", EVENTS, event("one"), event("two"), event("three"))
    assert cluster.run(cluster.define("mode: INSERT")).success
    table = find_export(TABLE)
    found = content(table)
    assert found.passed, found.description
    assert "not their values" in found.description
    with cluster.emulator.connect(cluster.emulator.exporter) as connection:
        connection.execute(f'SET search_path TO "{cluster.schema}"'.encode())
        connection.execute(b"UPDATE events SET uuid = 'two' WHERE uuid = 'one'")
        connection.execute(b"DELETE FROM events WHERE uuid = 'three'")
        connection.commit()
    told = content(table).description
    assert "2" in told
    assert "Rows that repeat a key: 1" in told


def test_it_belongs_to_no_delivery(deployment: Deployment) -> None:
    """The schedule's job has no part of it; what runs all checks of the asset reads nothing."""
    deployment.define("partitions_per_run: 24")
    deployment.put_events("a", {}, {"hour": 1.5})
    evaluations = deployment.run().get_asset_check_evaluations()
    assert "content" not in {each.check_name for each in evaluations}
    assert "Compared: 1 data files" in (deployment.check("content").description or "")
    job = deployment.definitions.resolve_implicit_global_asset_job_def()
    tags = {
        "dagster/asset_partition_range_start": KEY,
        "dagster/asset_partition_range_end": NEXT,
    }
    everything = job.get_subset(asset_selection={ASSET})
    assert everything.execute_in_process(tags=tags, instance=deployment.instance).success
    told = last(deployment.instance, check_key("content"))
    for key in (KEY, NEXT):
        assert told[key].passed
        assert "This run has delivered it" in (told[key].description or "")
