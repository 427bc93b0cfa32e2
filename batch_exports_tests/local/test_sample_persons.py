"""Persons of the sample lake: where their versions lead, the events tell as well."""

import duckdb

from batch_exports import models
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.person_schema import PERSONS
from batch_exports.models import JSON

_NEWEST = """
    SELECT DISTINCT ON (distinct_id) * FROM persons
    ORDER BY person_distinct_id_version DESC, person_version DESC
"""


def test_columns_are_the_models() -> None:
    expected = {
        column.source_name: EVENTS.field("properties").type if column.type == JSON else column.type
        for column in models.PERSONS.columns
    }
    assert dict(zip(PERSONS.names, PERSONS.types, strict=True)) == expected


def test_every_distinct_id_leads_to_the_person_of_its_events(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    told = tables.sql(f"SELECT distinct_id, person_id FROM ({_NEWEST})")
    recorded = tables.sql("SELECT DISTINCT distinct_id, person_id FROM events")
    assert told.except_(recorded).fetchall() == []
    assert recorded.except_(told).fetchall() == []


def test_the_newest_versions_tell_what_the_events_tell(tables: duckdb.DuckDBPyConnection) -> None:
    told = tables.sql(f"""
        SELECT DISTINCT person_id, created_at, (properties->>'events')::BIGINT,
            (properties->>'purchases')::BIGINT,
            (properties->>'spent')::DOUBLE, (properties->>'last_seen_at')::TIMESTAMPTZ,
            properties->>'email', properties->>'customer_since'
        FROM ({_NEWEST}) WHERE NOT is_deleted
    """)
    recorded = tables.sql("""
        SELECT person_id, min(timestamp), count(*), count(*) FILTER (event = 'purchase'),
            coalesce(round(sum((properties->>'revenue')::DOUBLE)
                FILTER (event = 'purchase'), 2), 0),
            max(timestamp), max(person_properties->>'email'),
            max(person_properties->>'customer_since')
        FROM readable GROUP BY person_id
    """)
    assert told.except_(recorded).fetchall() == []
    assert recorded.except_(told).fetchall() == []


def test_versions_grow(tables: duckdb.DuckDBPyConnection) -> None:
    wrong = tables.sql("""
        SELECT * FROM (
            SELECT *, lag(created_at) OVER w AS created_before,
                lag(person_version) OVER w AS version_before,
                (properties->>'events')::BIGINT
                    <= (lag(properties) OVER w->>'events')::BIGINT AS forgot
            FROM (SELECT DISTINCT ON (person_id, person_version) * FROM persons
                  WHERE NOT is_deleted)
            WINDOW w AS (PARTITION BY person_id ORDER BY person_version)
        ) WHERE person_version <> coalesce(version_before + 1, 0) OR forgot
            OR created_at > created_before
    """)
    assert wrong.fetchall() == []
    changed = (
        "SELECT count(*) FROM (SELECT DISTINCT person_id FROM persons WHERE person_version > 0)"
    )
    assert tables.sql(changed).fetchall()[0][0] > 1_000


def test_a_version_is_told_for_every_distinct_id_of_its_person(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    differing = tables.sql("""
        SELECT person_id, person_version FROM persons GROUP BY ALL
        HAVING count(DISTINCT (properties, created_at, is_deleted)) > 1
    """)
    assert differing.fetchall() == []
    several = "SELECT person_id FROM persons GROUP BY 1 HAVING count(DISTINCT distinct_id) > 2"
    assert len(tables.sql(several).fetchall()) > 50


def test_devices_are_given_to_the_persons_who_log_in(tables: duckdb.DuckDBPyConnection) -> None:
    devices = tables.sql("""
        SELECT distinct_id, count(DISTINCT person_id), max(person_distinct_id_version)
        FROM persons GROUP BY 1 HAVING count(DISTINCT person_id) > 1
    """).fetchall()
    assert len(devices) > 500
    assert {(persons, version) for _, persons, version in devices} == {(2, 1)}
    logins = tables.sql("""
        SELECT DISTINCT properties->>'$."$anon_distinct_id"' FROM readable
        WHERE event = '$identify'
    """).fetchall()
    assert {device for device, *_ in devices} <= {device for (device,) in logins}
    # The person's own versions may be behind those of the one that the device leaves.
    behind = """SELECT count(*) FROM persons a JOIN persons b USING (distinct_id)
        WHERE a.person_distinct_id_version > b.person_distinct_id_version
        AND a.person_version < b.person_version"""
    assert tables.sql(behind).fetchall()[0][0] > 0


def test_one_person_is_deleted(tables: duckdb.DuckDBPyConnection) -> None:
    deleted = tables.sql(f"SELECT distinct_id, properties FROM ({_NEWEST}) WHERE is_deleted")
    assert deleted.fetchall() == [("tester@example.com", "{}")]


def test_some_versions_are_overtaken_and_some_come_twice(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    overtaken = """SELECT count(*) FROM persons a JOIN persons b USING (distinct_id)
        WHERE (a.person_distinct_id_version, a.person_version)
            < (b.person_distinct_id_version, b.person_version)
        AND date_trunc('hour', a.inserted_at) > date_trunc('hour', b.inserted_at)"""
    assert tables.sql(overtaken).fetchall()[0][0] > 50
    twice = """SELECT max(inserted_at) - min(inserted_at), count(*) FROM persons
        GROUP BY distinct_id, person_distinct_id_version, person_version HAVING count(*) > 1"""
    gaps = tables.sql(twice).fetchall()
    assert len(gaps) > 50
    assert all(gap.days == 1 and count == 2 for gap, count in gaps)
