"""Deliveries to PostgreSQL: the suite of all destinations, in each way that rows take."""

import uuid
from dataclasses import replace

import pyarrow as pa
import pytest

from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.errors import Terminal
from batch_exports.local.postgres_server import Server
from batch_exports.models import EVENTS, Projection
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream
from batch_exports_tests.destinations.suite import Suite, assert_sound


class TestReplaceByRange(Suite):
    @pytest.fixture
    def adapter(self, postgres: PostgresAdapter) -> PostgresAdapter:
        return postgres

    def test_another_column_is_found(
        self, adapter: PostgresAdapter, destination: PostgresDestination
    ) -> None:
        """It is the user's own, and left alone."""
        rows = make_rows(range(40))
        destination.write(stream(rows), HOUR, "run-1")
        adapter.tamper(destination, HOUR, rows.append_column("surprise", pa.array(["!"] * 40)))
        assert destination.columns(HOUR, PROJECTION.schema).problems == ()
        destination.write(stream(rows), HOUR, "run-2")
        assert_sound(destination, HOUR, 40)


class TestSeveralConnections(TestReplaceByRange):
    @pytest.fixture
    def adapter(self, postgres: PostgresAdapter) -> PostgresAdapter:
        return postgres.having(parallelism=2)


def test_a_table_that_others_filled_is_not_compared_row_by_row(postgres: PostgresAdapter) -> None:
    """Where it has no key of the interval's, that takes one look at each row: to compare each with
    each took minutes, and planners choose that for wide rows."""
    rows, wide_text = 20_000, "x" * 600
    columns = EVENTS.select(["uuid", "event", "elements_chain"], "postgres")
    impatient = replace(
        postgres, connection={**postgres.connection, "statement_timeout_seconds": 10}
    )
    destination = impatient.destination(Projection(EVENTS, columns, "inserted_at"))
    for statement in (
        "CREATE TABLE {table} (uuid varchar(200), event varchar(200), elements_chain text)",
        "INSERT INTO {table} SELECT 'theirs-' || n, 'viewed', "
        f"'{wide_text}' FROM generate_series(1, {rows}) n",
        "ANALYZE {table}",
    ):
        postgres.execute(statement)
    made = pa.table(
        {
            "uuid": [f"ours-{number}" for number in range(rows)],
            "event": ["viewed"] * rows,
            "elements_chain": [wide_text] * rows,
        },
        schema=destination.projection.schema,
    )
    assert destination.write(stream(made, batch_rows=rows), HOUR, "run-1").rows == rows


def test_a_database_of_another_encoding_is_refused(
    postgres: PostgresAdapter, postgres_server: Server
) -> None:
    name = f"latin_{uuid.uuid4().hex[:8]}"
    with postgres_server.connect(autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' "
            "LC_CTYPE 'C'".encode()
        )
    elsewhere = replace(postgres, connection={**postgres.connection, "database": name})
    with pytest.raises(Terminal, match="LATIN1"):
        elsewhere.destination(PROJECTION).write(stream(make_rows(range(3))), HOUR, "run-1")
