"""What each interval of a table has: all rows, changed ones, none that an earlier one had."""

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift import isolation
from batch_exports.errors import BatchExportError, Terminal
from batch_exports.local.redshift.server import Emulator
from batch_exports.sources.warehouse.mapping import EventMapping
from batch_exports.sources.warehouse.state import State
from batch_exports_tests.sources.warehouse.places import (
    ALL,
    BY_ID,
    Place,
    hour,
    place,
    rows_of,
    told,
)

PERSONS = "id INTEGER, email VARCHAR(100), plan VARCHAR(20)"
THREE = ("1, 'a@x.org', 'free'", "2, 'b@x.org', 'free'", "3, 'c@x.org', NULL")


def syncs(warehouse: Place, what: str) -> list[tuple[Any, ...]]:
    """Columns of the ledger, the oldest sync first."""
    return warehouse.kept(f"SELECT {what} FROM state.batch_exports_crm_syncs ORDER BY number")


def test_the_first_sync_has_all_rows_later_ones_what_changed(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source() as source:
        assert told(source, 0) == [("insert", "1"), ("insert", "2"), ("insert", "3")]
        assert told(source, 1) == []
        warehouse.run("UPDATE persons SET plan = 'pro' WHERE id >= 2")
        warehouse.run("INSERT INTO persons VALUES (4, 'd@x.org', 'free')")
        warehouse.run("DELETE FROM persons WHERE id = 1")
        assert told(source, 2) == [("update", "2"), ("update", "3"), ("insert", "4")]
        warehouse.run("UPDATE persons SET plan = NULL WHERE id = 3")
        assert told(source, 3) == [("update", "3")]
    assert syncs(warehouse, "kind, why, inserted, updated, deleted") == [
        ("full", "the first sync", 3, 0, 0),
        ("delta", "", 0, 0, 0),
        ("delta", "", 1, 2, 0),
        ("delta", "", 0, 1, 0),
    ]


def test_an_interval_again_has_the_same_rows(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source() as source:
        before = rows_of(source, 0)
        warehouse.run("DELETE FROM persons WHERE id < 3")
        rows_of(source, 1)
        assert rows_of(source, 0) == before
    other = EventMapping(("id",), traits=(("plan", ("p",)),))
    with warehouse.source(other) as source:
        rows_of(source, 2)
        assert rows_of(source, 0) == before
    assert {row["batch_id"] for row in before} == {syncs(warehouse, "batch_id")[0][0]}


def test_an_interval_before_the_newest_sync_is_covered_by_it(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source() as source:
        assert len(rows_of(source, 5)) == 3
        warehouse.run("UPDATE persons SET plan = 'pro'")
        assert rows_of(source, 2) == []
        assert len(rows_of(source, 6)) == 3
        assert rows_of(source, 5)
    kinds = syncs(warehouse, "kind, why")
    assert kinds[1] == ("covered", f"covered by {hour(5)}")


def test_another_mapping_tells_all_rows(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    mappings = [
        BY_ID,
        EventMapping(("id",), traits=(("plan", ("subscription", "plan")),)),
        EventMapping(("id",), constants={("origin",): '"crm"'}, root={("context", "n"): "1"}),
    ]
    found = []
    for number, mapping in enumerate(mappings):
        with warehouse.source(mapping) as source:
            found.append(rows_of(source, number)[0])
    assert [row["operation"] for row in found] == ["insert"] * 3
    assert [json.loads(row["traits"]) for row in found] == [
        {"id": 1, "plan": "free"},
        {"subscription": {"plan": "free"}},
        {"id": 1, "plan": "free", "origin": "crm"},
    ]
    assert [row["root"] for row in found] == [None, None, '{"context":{"n":1}}']
    assert [why for (why,) in syncs(warehouse, "why")] == [
        "the first sync",
        "the table or its mapping changed",
        "the table or its mapping changed",
    ]


def test_another_table_tells_all_rows(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    warehouse.run("CREATE TABLE others AS SELECT id + 1 AS id, email, plan FROM persons")
    other = TableName(warehouse.schema, "others")
    warehouse.run(f"GRANT SELECT ON others TO {warehouse.server.exporter.user}")
    with warehouse.source(mode="mirror") as source:
        rows_of(source, 0)
        moved = replace(source, synced=replace(source.synced, table=other))
        assert sorted(told(moved, 1)) == [
            ("delete", "1"),
            ("insert", "2"),
            ("insert", "3"),
            ("insert", "4"),
        ]


def test_a_violation_of_isolation_is_tried_again(
    redshift: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html"""
    monkeypatch.setattr(isolation, "_FIRST_PAUSE_SECONDS", 0)
    with place(redshift) as cluster:
        cluster.make(PERSONS, *THREE)
        with cluster.source() as source:
            redshift.inject("INSERT INTO .*_delta", times=2)
            assert len(rows_of(source, 0)) == 3
    assert sum("LOCK TABLE" in statement for statement in redshift.statements) == 3


@pytest.mark.parametrize(
    "change",
    ["ALTER TABLE persons ADD COLUMN age INTEGER", "ALTER TABLE persons DROP COLUMN plan"],
)
def test_other_columns_tell_all_rows(warehouse: Place, change: str) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source() as source:
        rows_of(source, 0)
        warehouse.run(change)
        assert len(rows_of(source, 1)) == 3
    assert syncs(warehouse, "why")[1] == ("the table's columns changed",)


def test_columns_that_are_not_selected_change_nothing(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source(EventMapping(("id",), traits=(("id", ("id",)),))) as source:
        rows_of(source, 0)
        warehouse.run("UPDATE persons SET plan = 'pro'")
        warehouse.run("ALTER TABLE persons ADD COLUMN age INTEGER")
        assert rows_of(source, 1) == []


def test_mode_full_tells_all_rows_each_time(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source(mode="full") as source:
        assert [len(rows_of(source, number)) for number in range(2)] == [3, 3]
    with warehouse.source() as source:
        assert rows_of(source, 2) == []


def test_a_mirror_tells_what_vanished(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source(mode="mirror") as source:
        rows_of(source, 0)
        warehouse.run("DELETE FROM persons WHERE id = 2")
        (gone,) = rows_of(source, 1)
    assert gone["operation"] == "delete"
    assert (gone["record_id"], gone["email"]) == ("2", "b@x.org")
    assert (gone["traits"], gone["root"], gone["user_id"]) == (None, None, None)


def test_a_mirror_tells_what_vanished_while_its_mapping_changed(warehouse: Place) -> None:
    """By another key, no record is known by what it was known by before."""
    warehouse.make(PERSONS, *THREE)
    with warehouse.source(mode="mirror") as source:
        rows_of(source, 0)
    warehouse.run("DELETE FROM persons WHERE id = 2")
    warehouse.run("ALTER TABLE persons ADD COLUMN age INTEGER")
    with warehouse.source(mode="mirror") as source:
        assert sorted(told(source, 1)) == [("delete", "2"), ("insert", "1"), ("insert", "3")]
    with warehouse.source(EventMapping(("email", "id")), mode="mirror") as source:
        assert sorted(told(source, 2)) == [
            ("delete", "1"),
            ("delete", "3"),
            ("insert", '["a@x.org",1]'),
            ("insert", '["c@x.org",3]'),
        ]


def test_an_invalid_row_is_not_gone_from_a_mirror(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source(mode="mirror") as source:
        rows_of(source, 0)
        warehouse.run("UPDATE persons SET email = NULL WHERE id = 2")
        assert told(source, 1) == []
        warehouse.run("DELETE FROM persons WHERE id = 2")
        assert told(source, 2) == [("delete", "2")]


def test_two_runs_at_once_sync_once(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    found: list[Any] = []

    def run() -> None:
        with warehouse.source() as source:
            found.append(rows_of(source, 0))

    runs = [threading.Thread(target=run) for _ in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert len(found) == 3
    assert found[0] == found[1] == found[2]
    assert syncs(warehouse, "kind") == [("full",)]


def test_a_sync_that_is_killed_leaves_the_state_as_it_was(
    warehouse: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source() as source:
        rows_of(source, 0)
        warehouse.run("UPDATE persons SET plan = 'pro' WHERE id = 1")
        tables = "SELECT relname FROM pg_class WHERE relname LIKE 'batch_exports_crm%' ORDER BY 1"
        before = warehouse.kept(tables), syncs(warehouse, "*")
        with monkeypatch.context() as patched:
            patched.setattr(State, "record", _killed)
            with pytest.raises(KeyboardInterrupt), source.read(ALL, hour(1)):
                pass
        assert (warehouse.kept(tables), syncs(warehouse, "*")) == before
        assert told(source, 1) == [("update", "1")]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_rows_that_were_deleted_from_the_state_are_missed(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source() as source:
        rows_of(source, 0)
        ((generation,),) = syncs(warehouse, "generation")
        delta = source.synced.state.delta(generation)
        warehouse.run(f"DELETE FROM {delta} WHERE id = 1")
        with pytest.raises(Terminal, match="had 3 when it was made"):
            rows_of(source, 0)


def test_sources_of_one_schema_of_state_do_not_meet(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    names = ["crm", "Crm", "a_name_that_is_as_long_as_can_be_for_a_source_1", "crm_2"]
    for name in names:
        with warehouse.source(name=name) as source:
            assert len(rows_of(source, 0)) == 3
    made = warehouse.kept("SELECT COUNT(*) FROM pg_tables WHERE tablename LIKE '%snapshot_1'")
    assert made[0][0] >= len(names)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (EventMapping(("nobody",)), "no column 'nobody', which primary_key names"),
        (EventMapping(("id",), {"user_id": "nobody"}), "'nobody', which user_id names"),
        (EventMapping(("id",), traits=(("no", ("no",)),)), "'no', which columns names"),
        (EventMapping(("id",), constants={("plan",): "1"}), "'plan' and 'plan' exclude"),
        (EventMapping(("data",)), "'data' is .*, of which primary_key cannot be"),
        (EventMapping(("id",), {"user_id": "score"}), "'score' is .*, of which user_id cannot"),
    ],
)
def test_a_mapping_that_does_not_fit(warehouse: Place, mapping: EventMapping, said: str) -> None:
    columns = f"{PERSONS}, data {warehouse.super}, score DOUBLE PRECISION"
    warehouse.make(columns)
    with warehouse.source(mapping) as source, pytest.raises(Terminal, match=said):
        rows_of(source, 0)


def test_a_table_without_whom_it_is_about(warehouse: Place) -> None:
    warehouse.make("id INTEGER, plan VARCHAR(20)")
    said = "none of the columns user_id, anonymous_id, email"
    with warehouse.source() as source, pytest.raises(Terminal, match=said):
        rows_of(source, 0)
    with warehouse.source(EventMapping(("id",), {"user_id": "id"})) as source:
        assert rows_of(source, 0) == []


def test_a_table_that_is_not_there(warehouse: Place) -> None:
    with warehouse.source() as source, pytest.raises(BatchExportError, match="no table"):
        rows_of(source, 0)
