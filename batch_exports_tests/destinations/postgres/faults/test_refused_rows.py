"""Rows that the server refuses though they look clean, and rows that were put aside."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.postgres.faults.trial import Trial
from batch_exports_tests.destinations.postgres.faults.ways import APPEND, FIRST, MERGE, RANGE, Way
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream

TryOut = Callable[[Way], Trial]


@pytest.mark.parametrize(
    ("way", "constraint", "name"),
    [
        (RANGE, "CHECK (event <> 'version 3') NOT VALID", "events_event_check"),
        (FIRST, "CHECK (event <> 'version 3') NOT VALID", "events_event_check"),
        (APPEND, "UNIQUE (uuid)", "events_uuid_key"),
    ],
    ids=str,
)
def test_a_constraint_of_the_users_own(
    try_out: TryOut, way: Way, constraint: str, name: str
) -> None:
    trial = try_out(way)
    if "UNIQUE" in constraint:
        trial.latest = pa.concat_tables([trial.latest, trial.latest.slice(30, 1)])
    trial.execute(f"ALTER TABLE {{table}} ADD {constraint}")
    before = trial.state()
    with pytest.raises(
        Terminal, match=rf"{name}.*\(SQLSTATE 235.*change the constraint"
    ) as failure:
        trial.deliver("run-refused")
    number = 0 if "CHECK" in constraint else 30
    assert trial.latest["uuid"][number].as_py() in failure.value.message
    assert trial.state() == before


@pytest.mark.parametrize("way", [MERGE, RANGE.with_connections(2)], ids=str)
def test_a_constraint_met_by_staged_rows(try_out: TryOut, way: Way) -> None:
    """It is named; the row is not, of which the server tells no more than its contents."""
    trial = try_out(way)
    trial.execute("ALTER TABLE {table} ADD CHECK ((properties->>'version')::int <> 3) NOT VALID")
    with pytest.raises(Terminal, match="constraint events_properties_check") as failure:
        trial.deliver("run-refused")
    assert "xxx" not in str(failure.value)
    trial.assert_unchanged()
    assert trial.adapter.leftovers() == []


@pytest.mark.parametrize("way", [RANGE, MERGE], ids=str)
def test_a_constraint_that_is_checked_at_the_commit(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)
    key = ", ".join(way.projection.model.key)
    trial.execute("CREATE TABLE {schema}.known AS SELECT DISTINCT " + key + " FROM {table}")
    trial.execute(f"ALTER TABLE {{schema}}.known ADD PRIMARY KEY ({key})")
    trial.execute(
        f"ALTER TABLE {{table}} ADD FOREIGN KEY ({key}) REFERENCES {{schema}}.known ({key}) "
        "DEFERRABLE INITIALLY DEFERRED NOT VALID"
    )
    trial.latest = way.rows(range(20, 2_000), lambda _: 3)
    with pytest.raises(Terminal, match=r"constraint events_.*fkey.*Drop the foreign key"):
        trial.deliver("run-refused")
    trial.assert_unchanged()


def test_a_trigger_of_the_users_own(try_out: TryOut) -> None:
    trial = try_out(RANGE)
    trial.execute(
        "CREATE FUNCTION {schema}.judge() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''a row of %'', NEW.distinct_id; END'"
    )
    trial.execute(
        "CREATE TRIGGER judge BEFORE INSERT ON {table} FOR EACH ROW "
        "EXECUTE FUNCTION {schema}.judge()"
    )
    with pytest.raises(Terminal, match="a trigger or function raised an error"):
        trial.deliver("run-refused")
    trial.assert_unchanged()


def test_many_rejects(adapter: PostgresAdapter) -> None:
    """They wait on disk, and are written once the rows are."""
    count = 100_000
    columns = [c for c in PROJECTION.columns if c.name in ("uuid", "event", "_inserted_at")]
    projection = replace(PROJECTION, columns=tuple(columns))
    sample = make_rows(range(1)).select(projection.schema.names)
    rows = pa.concat_tables([sample] * count).combine_chunks()
    numbers = pa.array([f"{n:0201d}" for n in range(count)])  # a character too many
    rows = rows.set_column(0, rows.schema.field(0), numbers)
    delivery = adapter.destination(projection).write(stream(rows, batch_rows=16_384), HOUR, "a run")
    assert (delivery.rows, delivery.rejected) == (0, count)
    found = adapter.execute("SELECT count(DISTINCT original) FROM {schema}.events_rejects")
    assert found == [{"count": count}]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_of_the_runs_machine(try_out: TryOut) -> None:
    trial = try_out(RANGE)
    latest, trial.latest = trial.latest, RANGE.rows(range(19, 20_000, 20), lambda _: 3)
    with (
        largest_file(64 * 1024),
        pytest.raises(Terminal, match=r"put aside.*File too large.*TMPDIR"),
    ):
        trial.deliver("run-full")
    trial.assert_unchanged()
    trial.latest = latest
    trial.deliver()
    trial.assert_delivered()
