"""Queries that users declare: bound to the interval, held to it, and not trusted otherwise."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_exports.errors import Terminal
from batch_exports.models import EVENTS, Query
from batch_exports.models.declared_query import declared_query
from batch_exports.sources.source import Selection
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.sources.events import START, event, minutes, select, table
from batch_exports_tests.sources.every_source import rows_of
from batch_exports_tests.sources.postgres.adapter import PostgresAdapter
from batch_exports_tests.sources.suite import assert_read

INSIDE = "inserted_at >= {data_interval_start} AND inserted_at < {data_interval_end}"
# Names are those of the source's schema; what means something to libraries is the query's own.
ALL = f"""
SELECT *, '100%s {{}} \\ ' || $$%(a)s; {{b}}$$ AS "odd %"  -- it's {{c}}
FROM events AS e
WHERE {INSIDE} AND event LIKE 'c%' /* ; */;
-- the end
"""


@pytest.fixture
def postgres(postgres: PostgresAdapter) -> PostgresAdapter:
    postgres.lay(EVENTS, table(EVENTS, map(event, range(40))))
    return postgres


def of(query: str, filters: RowFilter | None = None) -> Selection:
    model = replace(EVENTS, name="declared", origin=declared_query(query))
    return replace(select(filters=filters), model=model)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (RowFilter(), [11, 13, 16, 18]),
        (RowFilter(exclude_events=("click ",)), [11, 16]),
        (RowFilter(properties=(PropertyFilter("n", "event", "gt", 13),)), [16, 18]),
    ],
    ids=["all", "by event", "by property"],
)
def test_rows_of_the_interval(
    postgres: PostgresAdapter, filters: RowFilter, expected: list[int]
) -> None:
    assert_read(postgres.source(), of(ALL, filters), minutes(10, 20), expected)
    intervals = [minutes(10, 20), minutes(11, 14), minutes(100, 200)]
    counts = postgres.source().counts(of(ALL, filters), intervals)
    within = [sum(11 <= number < 14 for number in expected)]
    assert counts == [len(expected), *within, 0]


@pytest.mark.parametrize("by_property", [False, True], ids=["plain", "by property"])
@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (INSIDE.replace("<", "<="), "gives 1 rows of which inserted_at lies outside of"),
        (INSIDE.replace(">=", ">= '-infinity' OR {data_interval_start} >"), "rows of which"),
        (f"{INSIDE} OR e.inserted_at IS NULL", "1 rows have no inserted_at"),
    ],
    ids=["its end", "all before", "no time"],
)
def test_rows_of_other_intervals_are_no_rows_of_this_one(
    postgres: PostgresAdapter, condition: str, words: str, by_property: bool
) -> None:
    with postgres.admin() as admin:
        admin.execute(
            f"INSERT INTO {postgres.schema}.events (event, properties) VALUES ('click', '{{}}')"
        )
    no_less = PropertyFilter("none such", "event", "is_not_set")
    filters = RowFilter(properties=(no_less,) if by_property else ())
    selection = of(f"SELECT * FROM events e WHERE {condition}", filters)
    with pytest.raises(Terminal, match=words):
        rows_of(postgres.source(), selection, minutes(10, 20))
    with pytest.raises(Terminal, match=words):
        postgres.source().count(selection, minutes(10, 20))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT event, inserted_at FROM events", r"no column 'uuid'.*is event, inserted_at\."),
        ("SELECT uuid, event FROM events", r"no column 'inserted_at'"),
        ("SELECT *, FROM events", r"syntax error.*42601.*Correct the model's query"),
        ("SELECT * FROM evens", r"does not exist.*names in a query are of the source's schema"),
        ("SELECT *, nope FROM events", r"42703.*Correct the model's query"),
        ("SELECT *, uuid FROM events", r"ambiguous.*Correct the model's query"),
        ("SELECT * FROM events WHERE 1 / (team_id - 1) > 0", r"22012.*Correct the model's query"),
        ("WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone", r"0A000|25006"),
        ("SELECT *, nextval('numbers') AS n FROM events", r"25006.*read alone"),
        ("SELECT *, pg_sleep(60) FROM events", r"statement timeout.*statement_timeout_seconds"),
    ],
)  # fmt: skip
def test_queries_that_cannot_be(postgres: PostgresAdapter, query: str, words: str) -> None:
    """The name of the model tells which; nothing is written."""
    with postgres.admin() as admin:
        admin.execute(f"CREATE SEQUENCE {postgres.schema}.numbers")
        admin.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {postgres.schema} TO public")
        admin.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {postgres.schema} TO public")
    source = postgres.source(statement_timeout_seconds=1)
    selection = replace(of("SELECT 1 WHERE " + INSIDE), columns=EVENTS.select(("uuid",), "s3"))
    selection = replace(selection, model=replace(selection.model, origin=Query(query)))
    with pytest.raises(Terminal, match=words) as refused:
        rows_of(source, selection, minutes(10, 20))
    assert "the query of declared" in refused.value.message


def test_bounds_are_those_of_the_interval(postgres: PostgresAdapter) -> None:
    """They are moments, wherever the session is."""
    selection = of(
        "SELECT {data_interval_start}::text AS uuid, "
        "{data_interval_end} - interval '1 microsecond' AS inserted_at"
    )
    selection = replace(selection, columns=EVENTS.select(("uuid", "_inserted_at"), "s3"))
    (row,) = rows_of(postgres.source(), selection, minutes(10, 20))
    last = START + timedelta(minutes=20) - timedelta(microseconds=1)
    assert row == {"uuid": "2026-11-01 00:10:00+00", "_inserted_at": last}
