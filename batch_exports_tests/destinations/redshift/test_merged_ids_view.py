"""Merged IDs resolved by a view: on Redshift, and by its SQL on PostgreSQL."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.merged_ids_view import find_cycles, resolving_view
from batch_exports.errors import Terminal
from batch_exports.local.postgres_server import Server
from batch_exports.models import AMPLITUDE_MERGED_IDS, Projection
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.rows import HOUR, NEXT_HOUR

MERGED_IDS = Projection(
    AMPLITUDE_MERGED_IDS, AMPLITUDE_MERGED_IDS.select((), "redshift"), "merge_server_time"
)
# When (seconds), which ID, into which.
Merge = tuple[int, int, int]
CASES = {
    "a chain": ([(1, 9, 8), (2, 8, 3)], {9: 3, 8: 3}),
    "a chain told from its end": ([(1, 8, 3), (2, 9, 8)], {9: 3, 8: 3}),
    "many into one": ([(1, 9, 3), (1, 8, 3)], {9: 3, 8: 3}),
    "merged again": ([(1, 9, 8), (2, 9, 3)], {9: 3}),
    "merged back": ([(1, 9, 8), (2, 9, 3), (3, 9, 8)], {9: 8}),
    "into itself": ([(1, 9, 9)], {}),
    "undone by a merge into itself": ([(1, 9, 8), (2, 8, 3), (3, 8, 8)], {9: 8}),
    "a cycle, and what leads there": ([(1, 1, 2), (2, 2, 1), (3, 5, 1)], dict.fromkeys((1, 2, 5))),
    "a cycle that a later merge opens": ([(1, 1, 2), (2, 2, 1), (3, 2, 7)], {1: 7, 2: 7}),
    "a cycle beside a chain": ([(1, 1, 2), (2, 2, 1), (3, 9, 8)], {1: None, 2: None, 9: 8}),
}


def rows_of(merges: Sequence[Merge]) -> pa.Table:
    times = [HOUR.start + timedelta(seconds=second) for second, _, _ in merges]
    columns = [
        [merged for _, merged, _ in merges],
        times,
        times,
        [into for _, _, into in merges],
    ]
    schema = MERGED_IDS.schema
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


def oracle(merges: Sequence[Merge]) -> dict[int, int | None]:
    """Each merged ID with the one it has in the end, by walking; None where the walk does not."""
    newest = {merged: into for _, merged, into in sorted(merges)}
    following = {merged: into for merged, into in newest.items() if merged != into}
    resolved: dict[int, int | None] = {}
    for start in following:
        at, seen = start, set[int]()
        while at in following and at not in seen:
            seen.add(at)
            at = following[at]
        resolved[start] = None if at in seen else at
    return resolved


@pytest.mark.parametrize(("merges", "resolved"), CASES.values(), ids=CASES.keys())
def test_merges_are_as_expected(merges: list[Merge], resolved: dict[int, int | None]) -> None:
    assert oracle(merges) == resolved


@pytest.fixture(scope="module")
def merges_table(postgres_server: Server) -> Iterator[tuple[psycopg.Connection[Any], TableName]]:
    schema = f"test_{uuid.uuid4().hex[:12]}"
    table, view = TableName(schema, "merged"), TableName(schema, "resolved")
    with postgres_server.connect() as connection:
        connection.autocommit = True
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute(
            sql.SQL(
                "CREATE TABLE {} (amplitude_id BIGINT, merge_event_time TIMESTAMP, "
                "merge_server_time TIMESTAMP, merged_amplitude_id BIGINT)"
            ).format(table.sql)
        )
        connection.execute(resolving_view(table, view))
        yield connection, table


def assert_resolved(
    connection: psycopg.Connection[Any], table: TableName, merges: Sequence[Merge]
) -> None:
    """The view says what walking says."""
    view = TableName(table.schema, "resolved")
    statement = sql.SQL(
        "SELECT amplitude_id, resolved_amplitude_id, merges IS NULL, in_cycle FROM {}"
    )
    found = connection.execute(statement.format(view.sql)).fetchall()
    expected = oracle(merges)
    assert len(found) == len(expected)
    assert {id_: resolved for id_, resolved, _, _ in found} == expected
    assert all(unknown == in_cycle == (to is None) for _, to, unknown, in_cycle in found)
    cycles = find_cycles(connection, view)
    assert cycles.ids == sum(resolved is None for resolved in expected.values())
    assert bool(cycles.examples) == bool(cycles.ids)


@settings(max_examples=150)
@given(merges=st.data())
def test_the_view_says_what_walking_says(
    merges_table: tuple[psycopg.Connection[Any], TableName], merges: st.DataObject
) -> None:
    connection, table = merges_table
    ids = st.integers(1, 7)
    pairs = merges.draw(st.lists(st.tuples(ids, ids), max_size=12))
    numbered = [(second, *pair) for second, pair in enumerate(pairs)]
    connection.execute(sql.SQL("TRUNCATE {}").format(table.sql))
    moments = [datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=s) for s, _, _ in numbered]
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s)").format(table.sql),
            [(m, t, t, into) for t, (_, m, into) in zip(moments, numbered, strict=True)],
        )
    assert_resolved(connection, table, numbered)


def test_a_long_chain(merges_table: tuple[psycopg.Connection[Any], TableName]) -> None:
    connection, table = merges_table
    connection.execute(sql.SQL("TRUNCATE {}").format(table.sql))
    connection.execute(
        sql.SQL(
            "INSERT INTO {} SELECT n, now(), now(), n + 1 FROM generate_series(1, 2000) AS n"
        ).format(table.sql)
    )
    assert_resolved(connection, table, [(0, n, n + 1) for n in range(1, 2001)])


def test_an_export_makes_the_view_and_finds_cycles(by_insert: RedshiftAdapter) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_WITH_clause.html"""
    destination = by_insert.destination(MERGED_IDS, table="merged", resolved_view="resolved")
    merges = [(1, 9, 8), (2, 8, 3)]
    rows = rows_of(merges)
    destination.write(rows.to_reader(), HOUR, "run-1")
    with by_insert.connect() as connection:
        assert_resolved(connection, TableName(by_insert.schema, "merged"), merges)
    assert destination.cycles(HOUR).ids == 0

    later = rows_of([(3600, 3, 9), (3600, 7, 8)])
    destination.write(later.to_reader(), NEXT_HOUR, "run-2")
    found = destination.cycles(NEXT_HOUR)
    assert (found.ids, found.examples) == (4, ("3 → 9 → 8 → 3",))
    assert destination.inspect(HOUR).problems == ()


def test_another_thing_of_the_views_name_is_left_alone(by_insert: RedshiftAdapter) -> None:
    destination = by_insert.destination(MERGED_IDS, table="merged", resolved_view="taken")
    by_insert.execute('CREATE TABLE "{schema}".taken (a INTEGER)')
    with pytest.raises(Terminal, match=r"taken\" is not a view\. Give resolved_view another name"):
        destination.write(rows_of([(1, 9, 8)]).to_reader(), HOUR, "run-1")
