"""A PostgreSQL database as a source, as users define it, and exports of it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports.local.postgres_server import Server
from batch_exports.lookup import find_export
from batch_exports.trial import try_source
from batch_exports_tests.components.postgres_warehouse import CONNECTION
from batch_exports_tests.deployment import KEY, START, errors_of, load

SOURCE = """\
type: batch_exports.PostgresSource
attributes:
  name: app
  connection: warehouse
  schema: "{{ env.TEST_PG_SCHEMA }}"
  tables: {events: raw_events}
---
"""
MODEL = """\
type: batch_exports.CustomModel
attributes:
  name: spenders
  source: app
  query: |
    SELECT 'user ' || id AS id, total, seen_at FROM users  -- 100% of them
    WHERE seen_at >= {data_interval_start} AND seen_at < {data_interval_end}
  columns:
    - {name: id, type: text, nullable: false}
    - {name: total, type: "numeric(10, 2)"}
    - {name: seen_at, type: timestamp, nullable: false}
  key: [id]
  membership: seen_at
---
"""
EXPORTS = """\
type: batch_exports.PostgresBatchExport
attributes: {name: events_copy, source: app, model: events, start: "2026-11-01",
  membership: timestamp, include_events: [kept], columns: [uuid, event, properties, timestamp],
  connection: warehouse, schema: "{{ env.TEST_PG_SCHEMA }}", table: copies}
---
type: batch_exports.PostgresBatchExport
attributes: {name: spenders, source: app, model: spenders, start: "2026-11-01",
  connection: warehouse, schema: "{{ env.TEST_PG_SCHEMA }}"}
"""
Define = Callable[..., dg.Definitions]


@pytest.fixture
def define(
    tmp_path: Path,
    postgres_server: Server,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Define:
    """Load documents for a schema of the server."""
    variables = {
        "TEST_PG_HOST": postgres_server.host,
        "TEST_PG_PORT": str(postgres_server.port),
        "TEST_PG_USER": postgres_server.exporter.user,
        "TEST_PG_PASSWORD": postgres_server.exporter.password,
        "TEST_PG_ROOT": str(postgres_server.root_certificate),
        "TEST_PG_SCHEMA": postgres_schema,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def define(*documents: str) -> dg.Definitions:
        text = "".join((CONNECTION, *documents)).rstrip("-\n") + "\n"
        return load(tmp_path / "defs", {"a/defs.yaml": text}, monkeypatch)

    return define


@pytest.fixture
def laid(postgres_server: Server, postgres_schema: str) -> Iterator[Callable[[str], list[Any]]]:
    """Tables of an application; what asks for rows of the schema."""
    moment = START + timedelta(minutes=30)
    with postgres_server.connect(postgres_server.exporter, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {postgres_schema}")
        connection.execute(
            "CREATE TABLE raw_events (uuid uuid, event text, properties json, timestamp timestamp)"
        )
        connection.execute(
            "INSERT INTO raw_events SELECT gen_random_uuid(), "
            "CASE WHEN n %% 2 = 0 THEN 'kept' ELSE 'left' END, '{\"n\": 1.50}', "
            "%s::timestamptz AT TIME ZONE 'UTC' FROM generate_series(1, 100) AS n",
            [moment],
        )
        connection.execute("CREATE TABLE users (id int, total numeric, seen_at timestamptz)")
        connection.execute(
            "INSERT INTO users VALUES (1, 1.5, %s), (2, NULL, %s), (3, 2, %s)",
            [moment, moment, moment + timedelta(hours=1)],
        )
        yield lambda query: connection.execute(query).fetchall()


def test_assets(define: Define, postgres_schema: str) -> None:
    specs = {s.key.to_user_string(): s for s in define(SOURCE, MODEL).resolve_all_asset_specs()}
    place = f"postgresql://warehouse/{postgres_schema}"
    assert specs["app/events"].metadata["dagster/uri"] == f"{place}/raw_events"
    assert specs["app/persons"].metadata["dagster/uri"] == f"{place}/persons"
    assert specs["app/spenders"].metadata["dagster/uri"] == "postgresql://warehouse"
    assert specs["app/events"].kinds == {"postgres"}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (("connection: warehouse", "connection: other"), "connection", "There is: warehouse"),
        (("{events: raw_events}", "{evens: e}"), "tables", "'evens' is no model. There is: events"),
        (("{events: raw_events}", "{events: ''}"), "tables.events", "'' is not a name"),
        (("{{ env.TEST_PG_SCHEMA }}", ""), "schema", "'' is not a name"),
    ],
)
def test_errors(define: Define, change: tuple[str, str], field: str, words: str) -> None:
    with pytest.raises(InvalidComponent) as refused:
        define(SOURCE.replace(*change))
    assert f"{field}: " in str(refused.value)
    assert words in str(refused.value)


def test_tables_and_queries_are_exported(define: Define, laid: Callable[[str], list[Any]]) -> None:
    definitions = define(SOURCE, MODEL, EXPORTS)
    for name in ("events_copy", "spenders"):
        steps = list(try_source(find_export(name)))
        assert {step.finding.verdict for step in steps} <= {"passed", "skipped"}, steps
        job = definitions.resolve_job_def(f"{name}_job")
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                partition_key=KEY, instance=instance, raise_on_error=False
            )
        assert result.success, errors_of(result)
        checks = result.get_asset_check_evaluations()
        assert [check.check_name for check in checks if not check.passed] == []
    copied = "SELECT DISTINCT event, properties ->> 'n', count(*) OVER () FROM copies"
    assert laid(copied) == [("kept", "1.50", 50)]
    assert [row[:2] for row in laid("SELECT id, total::text FROM spenders ORDER BY id")] == [
        ("user 1", "1.50"),
        ("user 2", None),
    ]
