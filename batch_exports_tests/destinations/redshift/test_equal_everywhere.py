"""The same rows by COPY, by INSERT and in PostgreSQL are equal, value for value.

Redshift is read by AWS's own driver: https://github.com/aws/amazon-redshift-python-driver
"""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import redshift_connector
from psycopg import sql
from pyarrow import fs

from batch_exports.interval import DataInterval
from batch_exports.local.lake import lay_lake
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports.models import MODELS, Model, Projection
from batch_exports.sources.lake import Lake
from batch_exports.sources.source import Selection
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.property.source import SourceRow, to_arrow
from batch_exports_tests.destinations.property.values import Kind, comparable, fine, plain
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.rows import HOUR, stream

# Amazon's driver is of an older Python's time.
pytestmark = pytest.mark.filterwarnings("ignore:ssl:DeprecationWarning")
_ROWS = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = DataInterval(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))


@pytest.mark.parametrize("name", MODELS)
def test_values_that_are_hard_to_move(
    name: str,
    by_copy: RedshiftAdapter,
    redshift: Emulator,
    postgres_server: Server,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(redshift.root_certificate))
    postgres = PostgresAdapter.to(postgres_server, postgres_schema)
    assert_equal(MODELS[name], made_up(MODELS[name]), HOUR, by_copy, postgres)


@pytest.mark.parametrize("name", ["events", "persons", "sessions"])
def test_rows_of_the_sample_lake(
    name: str,
    by_copy: RedshiftAdapter,
    redshift: Emulator,
    postgres_server: Server,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(redshift.root_certificate))
    lake = tmp_path_factory.getbasetemp() / "equal-everywhere"
    lay_lake(lake)  # once
    source = Lake(fs.LocalFileSystem(), str(lake), shown_as="the sample lake")
    model = MODELS[name]
    selection = Selection(model, model.select((), "redshift"), "inserted_at")
    interval = DataInterval(_DAY.start, _DAY.start + timedelta(hours=2))
    with source.read(selection, interval) as reader:
        rows = reader.read_all()
    assert rows.num_rows
    postgres = PostgresAdapter.to(postgres_server, postgres_schema)
    assert_equal(model, rows.slice(0, 2_000), interval, by_copy, postgres)


def made_up(model: Model) -> pa.Table:
    """Rows of the least and the greatest values that Redshift and PostgreSQL both hold."""
    columns = model.select((), "redshift")
    schema = Projection(model, columns, model.membership[0]).schema
    start = (HOUR.start - _EPOCH) // timedelta(microseconds=1)
    rows = []
    for number in range(_ROWS):
        values = {c.name: fine(c, number + n * n, "redshift") for n, c in enumerate(columns)}
        for column in columns:
            if column.name in (*model.key, *model.versions, *model.membership):
                is_text = pa.types.is_string(column.type)
                is_time = pa.types.is_timestamp(column.type)
                value = f"key {number}" if is_text else number + (start if is_time else 0)
                values[column.name] = plain(value)
        rows.append(SourceRow(0, values))
    return to_arrow(rows, schema)


def assert_equal(
    model: Model,
    rows: pa.Table,
    interval: DataInterval,
    redshift: RedshiftAdapter,
    postgres: PostgresAdapter,
) -> None:
    """With each other, and with what was sent."""
    names = rows.schema.names
    mode = {"write_mode": "merge" if model.versions else "replace"}
    for loading in ("COPY", "INSERT"):
        table = f"by_{loading.lower()}"
        adapter = redshift.by(loading).having(table=table, export=table, **mode)
        deliver(adapter, model, rows, interval, "redshift")
        assert by_amazons_driver(adapter, table, rows.schema) == sent(rows)
    adapter = postgres.having(**mode)
    deliver(adapter, model, rows, interval, "postgres")
    with adapter.connect() as connection:
        shown = sql.SQL(", ").join(
            sql.SQL("to_json({})::text" if is_document(field) else "{}").format(
                sql.Identifier(field.name)
            )
            for field in rows.schema
        )
        name = adapter.destination(_projection(model, names, "postgres")).name
        statement = sql.SQL("SELECT {} FROM {}").format(shown, name.sql)
        found = connection.execute(statement).fetchall()
    assert landed(found, rows.schema) == sent(rows)


def deliver(
    adapter: RedshiftAdapter | PostgresAdapter,
    model: Model,
    rows: pa.Table,
    interval: DataInterval,
    kind: Kind,
) -> None:
    projection = _projection(model, rows.schema.names, kind)
    delivery = adapter.destination(projection).write(stream(rows, batch_rows=500), interval, "run")
    assert (delivery.rows, delivery.rejected, delivery.replaced) == (rows.num_rows, 0, 0)


def by_amazons_driver(adapter: RedshiftAdapter, table: str, schema: pa.Schema) -> Counter[Any]:
    names = ", ".join(f'"{name}"' for name in schema.names)
    with closing(
        redshift_connector.connect(
            host="localhost",
            port=adapter.connection["port"],
            database=adapter.connection["dbname"],
            user=adapter.connection["user"],
            password=adapter.connection["password"],
            sslmode="verify-full",
        )
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(f'SELECT {names} FROM "{adapter.schema}"."{table}"')
        return landed(cursor.fetchall(), schema)


def sent(rows: pa.Table) -> Counter[Any]:
    columns = [
        [None if value is None else _document(value) for value in column.to_pylist()]
        if is_document(field)
        else column.to_pylist()
        for field, column in zip(rows.schema, rows.columns, strict=True)
    ]
    return landed(zip(*columns, strict=True), rows.schema)


def landed(found: Any, schema: pa.Schema) -> Counter[Any]:
    """Rows in a form in which equal values are equal; times without a zone are UTC's."""
    return Counter(
        tuple(
            comparable(_with_zone(value), field.type)
            for value, field in zip(row, schema, strict=True)
        )
        for row in found
    )


def is_document(field: pa.Field) -> bool:
    return bool(field.type == pa.json_() or pa.types.is_list(field.type))


def _document(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _with_zone(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return value


def _projection(model: Model, names: Sequence[str], kind: Kind) -> Projection:
    return Projection(model, model.select(names, kind), model.membership[0])
