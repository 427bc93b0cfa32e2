"""Files on S3 that are not what they were when COPY comes to read them."""

import asyncio
from collections.abc import Callable

import pytest

from batch_exports.destinations.redshift import types
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.local.redshift import session
from batch_exports.local.redshift.backend import Backend
from batch_exports.local.redshift.cluster import Cluster
from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.transfer import run_copy
from batch_exports_tests.destinations.redshift.faults.statements import STAGE, upon
from batch_exports_tests.destinations.redshift.faults.trial import Trial
from batch_exports_tests.destinations.redshift.faults.ways import RANGE, Way

TryOut = Callable[[Way], Trial]


def _is_manifest(key: str) -> bool:
    return key.endswith("/manifest")


def _is_file(key: str) -> bool:
    return key.endswith(".parquet")


@pytest.mark.parametrize("which", [_is_file, _is_manifest])
def test_a_staged_file_that_is_deleted(try_out: TryOut, which: Callable[[str], bool]) -> None:
    """As by a rule of the bucket's lifecycle."""
    trial = try_out(RANGE)

    def delete() -> None:
        for key in filter(which, trial.staged_files()):
            trial.adapter.client.delete_object(Bucket=trial.adapter.bucket, Key=key)

    with (
        upon(trial.emulator, STAGE, delete),
        pytest.raises(Transient, match="let nothing else delete what lies under"),
    ):
        trial.deliver("run-refused")
    assert_recovers(trial)


@pytest.mark.parametrize(
    ("which", "content", "kind", "words"),
    [
        (_is_file, b"PAR1", Terminal, "Spectrum Scan Error"),
        (_is_manifest, b"{", Terminal, "Manifest file is not in correct json format"),
    ],
    ids=["file", "manifest"],
)
def test_a_staged_file_that_is_changed(
    try_out: TryOut,
    which: Callable[[str], bool],
    content: bytes,
    kind: type[BatchExportError],
    words: str,
) -> None:
    trial = try_out(RANGE)

    def change() -> None:
        for key in filter(which, trial.staged_files()):
            trial.adapter.client.put_object(Bucket=trial.adapter.bucket, Key=key, Body=content)

    with upon(trial.emulator, STAGE, change), pytest.raises(kind, match=words):
        trial.deliver("run-refused")
    assert_recovers(trial)


def test_a_value_that_copy_refuses(try_out: TryOut, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row and column are told, as the cluster tells them afterwards.

    https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
    """
    trial = try_out(RANGE)

    async def refuse(copy: Copy, backend: Backend, cluster: Cluster, number: int) -> int:
        await run_copy(copy, backend, cluster, number)
        found = await backend.execute("SELECT pg_last_copy_id()")
        (id_,) = found.rows[0]
        assert id_
        await asyncio.to_thread(trial.execute, _LOAD_ERROR, int(id_))
        table = copy.table_name
        raise Refusal("XX000", f"Load into table '{table}' failed.  Check 'stl_load_errors'.")

    with monkeypatch.context() as refusing:
        refusing.setattr(session, "run_copy", refuse)
        with pytest.raises(Terminal, match=_TOLD) as failure:
            trial.deliver("run-refused")
    assert "a value" not in str(failure.value)
    assert_recovers(trial)


_LOAD_ERROR = """
INSERT INTO pg_catalog.stl_load_errors
    (query, filename, line_number, colname, type, raw_field_value, err_code, err_reason)
VALUES (%s, 's3://bucket/a file', 7, 'event', 'varchar', 'a value', 1204, 'String length exceeds')
"""
_TOLD = (
    r"COPY refuses a staged value: String length exceeds \(error 1204\) in the column 'event' "
    "varchar, row 7 of s3://bucket/a file"
)


def test_a_text_that_copy_finds_too_long(try_out: TryOut, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Parquet the cluster tells column and file, and keeps no record of errors.

    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
    """
    trial = try_out(RANGE)
    with monkeypatch.context() as narrow:
        narrow.setattr(types, "MOST_VARCHAR_BYTES", 5)
        with pytest.raises(Terminal, match=r"data column uuid is longer .*: 5.*Make the column"):
            trial.deliver("run-refused")
    assert_recovers(trial)


def assert_recovers(trial: Trial) -> None:
    trial.assert_unchanged()
    trial.assert_cleared()
    trial.deliver()
    trial.assert_delivered()
