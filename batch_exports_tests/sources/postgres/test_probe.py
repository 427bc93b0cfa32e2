"""A PostgreSQL source is tried step by step, each told apart from the next."""

from dataclasses import replace

import pytest
from psycopg import sql

from batch_exports.models import EVENTS
from batch_exports.models.declared_query import declared_query
from batch_exports.probe import Result, probe
from batch_exports.sources.postgres.attempt import Attempt, Tried
from batch_exports.sources.postgres.postgres import Postgres
from batch_exports.sources.postgres.probe import STEPS
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.events import HOUR, event, select, table
from batch_exports_tests.sources.postgres.adapter import PostgresAdapter

QUERY = (
    "SELECT * FROM events "
    "WHERE inserted_at >= {data_interval_start} AND inserted_at < {data_interval_end}"
)


@pytest.fixture
def postgres(postgres: PostgresAdapter) -> PostgresAdapter:
    postgres.lay(EVENTS, table(EVENTS, map(event, range(100))))
    return postgres


def tried(
    postgres: PostgresAdapter, selection: Selection | None = None, source: Postgres | None = None
) -> list[Result]:
    attempt = Attempt(
        Tried(source or postgres.source(), selection or select()),
        postgres.server.host,
        postgres.server.port,
        "verify-full",
        str(postgres.server.root_certificate),
        5,
        interval=HOUR,
    )
    try:
        return list(probe(STEPS, attempt))
    finally:
        attempt.close()


def failure(results: list[Result]) -> tuple[str, str]:
    """The one step that failed, and what it says; those after it are skipped."""
    number = next(n for n, result in enumerate(results) if result.finding.verdict == "failed")
    assert {result.finding.verdict for result in results[number + 1 :]} <= {"skipped"}
    return results[number].step, str(results[number].finding)


def test_all_is_well(postgres: PostgresAdapter) -> None:
    results = tried(postgres)
    assert [(result.step, result.finding.verdict) for result in results] == [
        ("host name", "skipped"),
        ("network", "passed"),
        ("TLS", "passed"),
        ("log in", "passed"),
        ("columns", "passed"),
        ("index", "passed"),
        ("rows", "passed"),
    ]
    assert "the first 60 rows" in results[-1].finding.text
    assert postgres.held() == []


def test_a_query(postgres: PostgresAdapter) -> None:
    selection = replace(select(), model=replace(EVENTS, origin=declared_query(QUERY)))
    verdicts = {result.step: result.finding.verdict for result in tried(postgres, selection)}
    assert (verdicts["index"], verdicts["rows"]) == ("skipped", "passed")


def test_an_index(postgres: PostgresAdapter) -> None:
    """A large table needs one on the membership column, which comes first in it."""
    postgres.execute(sql.SQL("CREATE INDEX ON {} (uuid, inserted_at)"), "events")
    with postgres.admin() as admin:
        admin.execute(
            "UPDATE pg_class SET relpages = 100000 WHERE oid = %s::regclass",
            [postgres.table("events").as_string()],
        )
    found = {result.step: result.finding for result in tried(postgres)}
    assert found["index"].verdict == "warning"
    with postgres.server.connect(autocommit=True) as admin:
        admin.execute(found["index"].remedy.removeprefix("Let an administrator run: "))
    found = {result.step: result.finding for result in tried(postgres)}
    assert found["index"].text == "an index begins with 'inserted_at'"


@pytest.mark.parametrize(
    ("change", "step", "words"),
    [
        ("DROP TABLE {}", "columns", "does not exist"),
        ("ALTER TABLE {} DROP inserted_at", "columns", "no column 'inserted_at'"),
        ("ALTER TABLE {} ALTER timestamp TYPE text", "columns", "'timestamp' is text"),
        ("UPDATE {} SET inserted_at = NULL", "rows", "100 rows (NULL or infinity)"),
        ("UPDATE {} SET timestamp = 'infinity'", "rows", "'timestamp' has 'infinity'"),
    ],
)  # fmt: skip
def test_what_fails(postgres: PostgresAdapter, change: str, step: str, words: str) -> None:
    postgres.execute(sql.SQL(change), "events")
    results = tried(postgres, select("uuid", "event", "timestamp"))
    assert failure(results)[0] == step
    assert words in failure(results)[1]


def test_a_wrong_password(postgres: PostgresAdapter) -> None:
    source = postgres.source()
    wrong = source.connect.__self__.model_copy(update={"password": "of another"})
    step, told = failure(tried(postgres, source=replace(source, connect=wrong.connect)))
    assert step == "log in"
    assert "of another" not in told
