"""Source = staged = loaded = change of the table = ledger: each inequality ends the delivery."""

import json
from collections.abc import Callable

import pyarrow as pa
import pytest

from batch_exports.destinations.redshift import dealing
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.local.redshift import session
from batch_exports.local.redshift.backend import Backend
from batch_exports.local.redshift.cluster import Cluster
from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.transfer import run_copy
from batch_exports.transform.parquet import ParquetFormat
from batch_exports_tests.destinations.redshift.faults.statements import STAGE, add_to, upon
from batch_exports_tests.destinations.redshift.faults.trial import Trial, to
from batch_exports_tests.destinations.redshift.faults.ways import APPEND, KEY, MERGE, RANGE, Way
from batch_exports_tests.destinations.rows import HOUR

TryOut = Callable[[Way], Trial]
_LOST = 'DELETE FROM "_batch_exports_stage" WHERE "distinct_id" = \' user 6\''


def assert_undone(trial: Trial, kind: type[BatchExportError], words: str) -> None:
    with pytest.raises(kind, match=words):
        trial.deliver("run-wrong")
    trial.assert_unchanged()
    trial.assert_cleared()


def assert_recovers(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    trial.deliver()
    trial.assert_delivered()


def after_copy(monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    """What the server does, unasked, when a COPY has ended."""

    async def copy_more(copy: Copy, backend: Backend, cluster: Cluster, number: int) -> int:
        rows = await run_copy(copy, backend, cluster, number)
        await backend.execute(statement)
        return rows

    monkeypatch.setattr(session, "run_copy", copy_more)


def test_a_manifest_that_names_a_file_fewer(
    try_out: TryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = try_out(RANGE)
    monkeypatch.setattr(dealing, "ParquetFormat", _of_small_groups)

    def forget() -> None:
        client, bucket = trial.adapter.client, trial.adapter.bucket
        (key,) = (key for key in trial.staged_files() if key.endswith("/manifest"))
        manifest = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        assert len(manifest["entries"]) > 1
        del manifest["entries"][0]
        client.put_object(Bucket=bucket, Key=key, Body=json.dumps(manifest).encode())

    with upon(trial.emulator, STAGE, forget):
        assert_undone(trial, Terminal, r"COPY loaded \d\d rows out of .*, which has 57")
    assert_recovers(trial, monkeypatch)


def _of_small_groups(schema: pa.Schema, compression: str) -> ParquetFormat:
    return ParquetFormat(schema, compression, max_block_bytes=32 * 1024)


def test_a_cluster_that_tells_another_count(
    try_out: TryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/PG_LAST_COPY_COUNT.html"""
    trial = try_out(RANGE)
    after_copy(monkeypatch, "SELECT set_config('emulator.copy_count', '56', false)")
    assert_undone(trial, Terminal, "COPY loaded 56 rows out of .*, which has 57")
    assert_recovers(trial, monkeypatch)


@pytest.mark.parametrize("way", [RANGE, RANGE.by("INSERT")], ids=str)
def test_rows_that_never_reach_the_stage(
    try_out: TryOut, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    trial = try_out(way)
    if way.loading == "COPY":
        after_copy(monkeypatch, _LOST)
    else:
        add_to(monkeypatch, STAGE, _LOST)
    assert_undone(trial, Terminal, r"57 rows were sent, and 4\d are staged")
    assert_recovers(trial, monkeypatch)


@pytest.mark.parametrize("way", [RANGE, KEY.by("INSERT"), APPEND.by("INSERT")], ids=str)
def test_rows_that_are_not_moved(try_out: TryOut, way: Way) -> None:
    """Something at the table keeps one back."""
    trial = try_out(way)
    interfere(trial, "BEFORE INSERT", "IF NEW.distinct_id = ' user 6' THEN RETURN NULL; END IF;")
    assert_undone(trial, Transient, r"57 rows were staged, and 4\d inserted")
    trial.execute("DROP TRIGGER interferes ON {table}")
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE.by("INSERT"), KEY, MERGE.by("INSERT")], ids=str)
def test_rows_that_vanish_meanwhile(try_out: TryOut, way: Way) -> None:
    """Something at the table deletes others."""
    trial = try_out(way)
    key = way.projection.model.key[-1]
    neighbours = trial.neighbour.column(key)[30].as_py()
    vanish = f"DELETE FROM {{schema}}.events WHERE {key} = '{neighbours}';"
    interfere(trial, "AFTER INSERT OR UPDATE", vanish.format(schema=f'"{trial.adapter.schema}"'))
    assert_undone(
        trial,
        Transient,
        r"\d+ rows were inserted and \d+ deleted, but the table has -?\d+ rows more",
    )
    trial.execute("DROP TRIGGER interferes ON {table}")
    trial.deliver()
    trial.assert_delivered()


def interfere(trial: Trial, when: str, what: str) -> None:
    """Redshift has no triggers; to the run this one is a cluster that does not as it is told."""
    name = f'"{trial.adapter.schema}".interfere'
    trial.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN {what} RETURN NEW; END$$"
    )
    trial.execute(
        f"CREATE TRIGGER interferes {when} ON {{table}} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )


@pytest.mark.parametrize("way", [RANGE, KEY, MERGE], ids=str)
def test_a_ledger_that_tells_another_count(try_out: TryOut, way: Way) -> None:
    """Found by the next look at the table."""
    trial = try_out(way.by("INSERT"))
    trial.deliver()
    trial.execute('UPDATE {ledger} SET "rows" = "rows" + 1 WHERE interval_start = %s', HOUR.start)
    told = "The table holds 57 rows of the interval; the ledger says 58."
    assert trial.problems(HOUR, trial.latest) == (told,)
    trial.deliver()
    trial.assert_delivered()


def test_a_rejected_row_whose_key_is_there(try_out: TryOut) -> None:
    """It is neither missing from the table nor newer than what is there."""
    trial = try_out(MERGE.by("INSERT"))
    rejected = trial.way.rows([59], lambda _: 9)
    name = rejected.schema.get_field_index("distinct_id")
    rejected = rejected.set_column(name, rejected.schema.field(name), pa.array(["user 60"]))
    trial.latest = pa.concat_tables([trial.latest, rejected])
    trial.deliver()
    trial.assert_delivered()
    versions = to(trial.adapter, trial.way).versions(HOUR, trial.keys(trial.latest))
    assert (versions.rows, versions.stale) == (57, 0)
