"""Which columns of a real PostgreSQL hold decimals unchanged."""

from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest

from batch_exports.destinations.postgres.fit import type_problems
from batch_exports.destinations.postgres.table import TableName, read_table
from batch_exports.local import postgres_server as postgres
from batch_exports.models import AMPLITUDE_EVENTS, Projection


@pytest.fixture(scope="module")
def connection(postgres_server: postgres.Server) -> Iterator[psycopg.Connection]:
    with postgres_server.connect(autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("type_", "fits"),
    [
        ("NUMERIC", True),
        ("NUMERIC(38, 9)", True),
        ("NUMERIC(40, 10)", True),
        ("NUMERIC(38, 10)", False),  # a digit less before the point
        ("NUMERIC(38)", False),
        ("NUMERIC(40, -2)", False),
        ("DOUBLE PRECISION", False),
    ],
)
def test_a_numeric_that_would_round_is_told(
    connection: psycopg.Connection, postgres_schema: str, type_: str, fits: bool
) -> None:
    connection.execute(f'CREATE TABLE "{postgres_schema}".t (sample_rate {type_})')
    table = read_table(connection, TableName(postgres_schema, "t"))
    assert table
    column = next(c for c in AMPLITUDE_EVENTS.columns if c.type == pa.decimal128(38, 9))
    problems = type_problems(Projection(AMPLITUDE_EVENTS, (column,), "server_upload_time"), table)
    assert bool(problems) is not fits, problems
