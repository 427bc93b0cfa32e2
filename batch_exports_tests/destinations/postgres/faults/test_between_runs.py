"""What users do to tables between two runs, and what the next run makes of it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal
from batch_exports.local.postgres_programs import find_programs
from batch_exports.local.postgres_server import Server
from batch_exports_tests.destinations.postgres.faults.trial import Trial
from batch_exports_tests.destinations.postgres.faults.ways import FIRST, KEY, MERGE, RANGE, Way
from batch_exports_tests.destinations.rows import HOUR, NEXT_HOUR

TryOut = Callable[[Way], Trial]


@pytest.mark.parametrize(
    ("statement", "way"),
    [
        *(("DROP TABLE {table}", way) for way in (RANGE, KEY, MERGE)),
        ("ALTER TABLE {table} RENAME TO kept", KEY),
    ],
    ids=str,
)
def test_a_table_that_is_gone(try_out: TryOut, way: Way, statement: str) -> None:
    trial = try_out(way)
    trial.execute(statement)
    with pytest.raises(Terminal, match="there is no table"):
        trial.problems(NEXT_HOUR, trial.neighbour)
    trial.deliver()
    with pytest.raises(Terminal, match="has no entry of it"):
        trial.problems(NEXT_HOUR, trial.neighbour)
    trial.deliver_neighbour()
    trial.earlier = trial.earlier.slice(0, 0)
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE, KEY, MERGE], ids=str)
def test_a_table_that_was_emptied(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)
    trial.execute("TRUNCATE {table}")
    told = ("The table holds 0 rows of the interval; the ledger says 38.",)
    assert trial.problems(NEXT_HOUR, trial.neighbour) == told
    trial.deliver()
    assert trial.problems(NEXT_HOUR, trial.neighbour) != ()
    trial.deliver_neighbour()
    trial.earlier = trial.earlier.slice(0, 0)
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE, KEY], ids=str)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {table} WHERE uuid LIKE '%1%'",
        "UPDATE {table} SET properties = NULL WHERE uuid LIKE '%1%'",
    ],
    ids=["delete", "update"],
)
def test_rows_that_somebody_changed(try_out: TryOut, way: Way, statement: str) -> None:
    trial = try_out(way)
    trial.latest = way.rows(range(80), lambda _: 3)  # a key is all that tells of a changed row
    trial.execute(statement)
    trial.deliver()
    trial.deliver_neighbour()
    trial.assert_delivered()


def test_rows_that_were_moved(try_out: TryOut) -> None:
    """Their place is another then, and who wrote them is what finds them."""
    trial = try_out(KEY)
    trial.execute("VACUUM (FULL, FREEZE) {table}")
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    ("statement", "way"),
    [
        ("TRUNCATE {ledger}", RANGE),
        ("TRUNCATE {ledger}", FIRST),
        ("DROP TABLE {ledger}", FIRST.with_connections(2)),
        ("DROP TABLE {ledger}", MERGE),
        ("DROP TABLE {rejects}", FIRST),
    ],
    ids=str,
)
def test_records_that_are_gone(try_out: TryOut, way: Way, statement: str) -> None:
    """Rows are then known by their keys alone, whichever come first."""
    trial = try_out(way)
    trial.deliver("run-earlier")
    trial.execute(statement)
    trial.latest = pa.concat_tables([way.rows(range(2000, 2100), lambda _: 3), trial.latest])
    trial.deliver()
    trial.deliver_neighbour()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [FIRST, MERGE], ids=str)
def test_a_table_restored_from_a_dump(
    try_out: TryOut, server: Server, tmp_path: Path, way: Way
) -> None:
    trial = try_out(way)
    trial.deliver("run-earlier")
    run_program(server, "pg_dump", "-Fc", f"-n{trial.adapter.schema}", f"-f{tmp_path / 'dump'}")
    trial.execute("DROP SCHEMA {schema} CASCADE")
    run_program(server, "pg_restore", str(tmp_path / "dump"))
    trial.deliver()
    trial.deliver_neighbour()
    trial.assert_delivered()


def run_program(server: Server, name: str, *arguments: str) -> None:
    login = {"PGUSER": server.admin.user, "PGPASSWORD": server.admin.password}
    place = {"PGHOST": server.host, "PGPORT": str(server.port)}
    environment = {"PATH": os.defpath, "LC_ALL": "C", **login, **place}
    command = [str(find_programs().folder / name), "-d", server.database, *arguments]
    subprocess.run(command, env=environment, check=True)


@pytest.mark.parametrize("way", [RANGE, KEY], ids=str)
def test_an_export_that_was_renamed(try_out: TryOut, way: Way) -> None:
    """The remedy is run as it stands."""
    trial = try_out(way)
    trial.adapter = trial.adapter.having(export="another name")
    with pytest.raises(Terminal, match="has deliveries of the export 'events_table'") as failure:
        trial.deliver("run-refused")
    trial.assert_unchanged()
    for statement in failure.value.remedy.partition("renamed, run: ")[2].split(";"):
        if statement:
            trial.adapter.execute(statement)
    assert trial.problems(HOUR, trial.earlier) == ()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    ("statement", "way"),
    [
        ("REVOKE INSERT ON {table} FROM {user}", RANGE),
        ("REVOKE SELECT ON {table} FROM {user}", KEY),
        ("REVOKE DELETE ON {table} FROM {user}", KEY),
        ("REVOKE UPDATE ON {table} FROM {user}", MERGE),
        ("REVOKE INSERT ON {ledger} FROM {user}", RANGE),
        ("REVOKE DELETE ON {rejects} FROM {user}", RANGE),
        ("REVOKE USAGE ON SCHEMA {schema} FROM {user}", RANGE),
        ("REVOKE CREATE ON SCHEMA {schema} FROM {user}", MERGE.with_connections(2)),
    ],
    ids=str,
)
def test_a_right_that_was_taken(try_out: TryOut, way: Way, statement: str) -> None:
    """The remedy is run as it stands."""
    trial = try_out(way)
    trial.execute(statement.replace("{user}", trial.server.exporter.user))
    with pytest.raises(Terminal, match="42501") as failure:
        trial.deliver("run-refused")
    trial.assert_unchanged()
    trial.execute(failure.value.remedy.removeprefix("Let an administrator run: "))
    trial.deliver()
    trial.assert_delivered()
