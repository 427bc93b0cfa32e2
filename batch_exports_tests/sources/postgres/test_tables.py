"""Tables as they are found: under other names, in other types, changed meanwhile, out of reach."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from batch_exports.errors import Terminal
from batch_exports.models import EVENTS, PERSONS, Table
from batch_exports.sources.postgres.condition import within, without_time
from batch_exports.sources.source import Selection
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.sources.events import (
    HOUR,
    START,
    event,
    minutes,
    select,
    table,
)
from batch_exports_tests.sources.every_source import rows_of
from batch_exports_tests.sources.kinds import ALL_KINDS, KINDS, extremes
from batch_exports_tests.sources.postgres.adapter import PostgresAdapter
from batch_exports_tests.sources.suite import assert_read


def rename(postgres: PostgresAdapter, table: str, column: str, to: str) -> None:
    names = sql.Identifier(column), sql.Identifier(to)
    postgres.execute(sql.SQL("ALTER TABLE {} RENAME {} TO {}"), table, *names)


def retype(postgres: PostgresAdapter, table: str, column: str, type_: str) -> None:
    postgres.execute(
        sql.SQL("ALTER TABLE {} ALTER {} TYPE {}"), table, sql.Identifier(column), sql.SQL(type_)
    )


def test_names_under_which_columns_were_delivered(postgres: PostgresAdapter) -> None:
    """What an export wrote can be read: `_inserted_at` stands for the source's inserted_at."""
    postgres.lay(EVENTS, table(EVENTS, map(event, range(20))))
    rename(postgres, "events", "inserted_at", "_inserted_at")
    selection = select("uuid", "_inserted_at")
    assert_read(postgres.source(), selection, minutes(5, 10), range(5, 10))
    row = rows_of(postgres.source(), selection, minutes(5, 6))[0]
    assert row["_inserted_at"] == START + timedelta(minutes=5)


def test_tables_by_other_names(postgres: PostgresAdapter) -> None:
    postgres.lay(EVENTS, table(EVENTS, map(event, range(20))))
    postgres.execute(sql.SQL('ALTER TABLE {} RENAME TO "Raw events; --"'), "events")
    renamed = replace(postgres, tables={"events": "Raw events; --"})
    assert_read(renamed.source(), select(), minutes(5, 10), range(5, 10))
    elsewhere = replace(postgres, schema="public")
    model = replace(EVENTS, origin=Table("Raw events; --", postgres.schema))
    selection = replace(select(), model=model)
    assert_read(elsewhere.source(), selection, minutes(5, 10), range(5, 10))


@pytest.mark.parametrize(
    "types",
    [
        {"uuid": "uuid USING uuid::uuid", "person_id": "uuid USING person_id::uuid"},
        {"properties": "json USING properties::json", "event": "char(20)"},
        {"properties": "text", "person_properties": "varchar(999)", "team_id": "smallint"},
        {"inserted_at": "timestamp", "timestamp": "timestamp"},
    ],
    ids=", ".join,
)
def test_columns_of_other_types(postgres: PostgresAdapter, types: Mapping[str, str]) -> None:
    rows = [row for row in map(event, range(20)) if row["event"] != "click "]
    postgres.lay(EVENTS, table(EVENTS, rows))
    columns = ("uuid", "event", "properties", "person_id", "timestamp", "_inserted_at", "team_id")
    filters = RowFilter(
        include_events=("$pageview", "click"),
        properties=(
            PropertyFilter("n", "event", "gt", 5),
            PropertyFilter("plan", "person", "exact", "pro"),
        ),
    )
    selection = select(*columns, filters=filters)
    before = rows_of(postgres.source(), selection, minutes(0, 15))
    for column, type_ in types.items():
        retype(postgres, "events", column, type_)
    assert rows_of(postgres.source(), selection, minutes(0, 15)) == before
    assert postgres.source().count(selection, minutes(0, 15)) == len(before) == 2


@pytest.mark.parametrize("moment", ["infinity", "-infinity"])
def test_rows_at_the_end_of_time_belong_to_no_interval(
    postgres: PostgresAdapter, moment: str
) -> None:
    postgres.lay(EVENTS, table(EVENTS, map(event, range(3))))
    postgres.execute(
        sql.SQL("UPDATE {} SET inserted_at = {} WHERE uuid LIKE '%1'"),
        "events",
        sql.Literal(moment),
    )
    words = r"events: 1 rows \(NULL or infinity\) have no inserted_at"
    with pytest.raises(Terminal, match=words):
        postgres.source().count(select(), HOUR)
    with pytest.raises(Terminal, match=words):
        rows_of(postgres.source(), select(), HOUR)


def test_the_index_of_the_membership_column_serves(postgres: PostgresAdapter) -> None:
    """For an interval, for many, and for the rows that none has."""
    postgres.lay(EVENTS, table(EVENTS, map(event, range(2000))))
    postgres.execute(sql.SQL("CREATE INDEX ON {} (inserted_at)"), "events")
    postgres.execute(sql.SQL("ANALYZE {}"), "events")
    with postgres.admin() as admin:
        admin.execute("SET enable_seqscan = off")
        source = postgres.source()
        relation = source.relation(admin, EVENTS, HOUR)
        for condition in (
            within(relation, "inserted_at", [minutes(3, 5)]),
            within(relation, "inserted_at", [minutes(3, 5), minutes(50, 60)]),
            without_time(relation, "inserted_at"),
        ):
            plan = admin.execute(
                sql.SQL("EXPLAIN SELECT * FROM {} WHERE {}").format(relation.rows, condition)
            ).fetchall()
            shown = "\n".join(line for (line,) in plan)
            assert "inserted_at_idx" in shown
            assert "Seq Scan" not in shown


def test_a_read_sees_one_moment(postgres: PostgresAdapter) -> None:
    """What comes between two of its statements is not read."""
    postgres.lay(EVENTS, table(EVENTS, map(event, range(3))))
    source = postgres.source()
    with source.session("test") as connection:
        relation = source.relation(connection, EVENTS, HOUR)
        postgres.execute(
            sql.SQL("INSERT INTO {} SELECT * FROM {}"), "events", postgres.table("events")
        )
        counted = sql.SQL("SELECT count(*) FROM {}").format(relation.rows)
        assert connection.execute(counted).fetchone() == (3,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute(sql.SQL("DELETE FROM {}").format(relation.rows))


def test_a_missing_table_and_a_missing_schema(postgres: PostgresAdapter) -> None:
    selection = Selection(PERSONS, PERSONS.select((), "s3"), "inserted_at")
    for source in (postgres.source(), replace(postgres, schema="none such").source()):
        with pytest.raises(Terminal, match=r"does not exist.*source's schema and tables"):
            rows_of(source, selection, HOUR)
        with pytest.raises(Terminal, match=r"does not exist.*source's schema and tables"):
            source.count(selection, HOUR)


def test_the_grant_that_is_missing(postgres: PostgresAdapter) -> None:
    postgres.lay(EVENTS, table(EVENTS, map(event, range(3))))
    user = sql.Identifier(postgres.server.exporter.user)
    postgres.execute(sql.SQL("REVOKE SELECT ON {} FROM {}"), "events", user)
    grant = f'GRANT SELECT ON "{postgres.schema}"."events" TO {user.as_string()};'
    with pytest.raises(Terminal) as refused:
        rows_of(postgres.source(), select(), HOUR)
    assert grant in refused.value.remedy
    with postgres.admin() as admin:
        admin.execute(grant)
    assert len(rows_of(postgres.source(), select(), HOUR)) == 3


def test_a_membership_column_is_a_timestamp(postgres: PostgresAdapter) -> None:
    postgres.lay(EVENTS, table(EVENTS, map(event, range(3))))
    retype(postgres, "events", "inserted_at", "date")
    with pytest.raises(Terminal, match=r"membership column 'inserted_at' is date.*cast it in a"):
        rows_of(postgres.source(), select(), HOUR)


def test_a_type_that_may_hold_other_values(postgres: PostgresAdapter) -> None:
    rows = [row for row in extremes(postgres.unheld) if row["id"] == "sums"]
    postgres.lay(KINDS, table(KINDS, rows))
    retype(postgres, "kinds", "double", "numeric")
    with pytest.raises(Terminal, match=r"'double' is numeric, and was expected as double"):
        rows_of(postgres.source(), ALL_KINDS, HOUR)


def test_sessions_say_whose_they_are_and_end(postgres: PostgresAdapter) -> None:
    postgres.lay(EVENTS, table(EVENTS, map(event, range(3))))
    source = replace(postgres.source(), name="db", run_id="run")
    with source.session(f"{START:%Y-%m-%dT%H:%MZ}") as connection:
        told = connection.execute("SHOW application_name").fetchone()
    assert told == ("batch_exports db 2026-11-01T00:00Z run",)
    assert connection.closed
