"""What a run makes of failures, and what is left when its process is killed."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.local.generator import write_lake
from batch_exports_tests.deployment import KEY, START, Deployment, errors_of
from batch_exports_tests.faults import FaultProxy, HttpFault

# Rows of about 1.3 KB each: two parts of an upload.
MANY = 8_000
UNCOMPRESSED = ("file_format: jsonlines", "compression: none")
NO_SUCH_UPLOAD = b"<Error><Code>NoSuchUpload</Code><Message>aborted</Message></Error>"
SECOND_PART = r"^PUT .*partNumber=2"


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = dg.RetryPolicy(max_retries=2, delay=0.01)
    monkeypatch.setattr("batch_exports.components.batch_export._RETRIES", policy)


def retries(result: dg.ExecuteInProcessResult) -> int:
    return sum(event.is_step_up_for_retry for event in result.all_events)


def put_many(deployment: Deployment) -> None:
    end = START + timedelta(hours=1)
    write_lake(deployment.folder / "lake", MANY, start=START, end=end, hostile_share=0)


@pytest.mark.usefixtures("quick_retries")
def test_what_the_user_must_mend_is_not_retried(deployment: Deployment) -> None:
    deployment.bucket = "no-such-bucket"
    deployment.define()
    deployment.put_events("a", {})
    result = deployment.run()
    assert not result.success
    assert retries(result) == 0
    (failure,) = (e for e in result.all_events if e.is_step_failure)
    told = failure.step_failure_data.user_failure_data
    assert told
    assert "NoSuchBucket" in (told.description or "")
    assert told.metadata["remedy"].value == "Create the bucket, or correct bucket_name."
    assert "s3://no-such-bucket/" in str(told.metadata["error"].value)


@pytest.mark.usefixtures("quick_retries")
def test_a_source_that_is_wrong_is_not_retried_either(deployment: Deployment) -> None:
    deployment.define()
    result = deployment.run()
    assert not result.success
    assert retries(result) == 0
    assert "Put the files of this model under" in errors_of(result)[0]
    assert deployment.objects() == []


@pytest.mark.usefixtures("quick_retries")
def test_what_may_pass_is_retried(deployment: Deployment) -> None:
    put_many(deployment)
    with FaultProxy(target=("127.0.0.1", deployment.server.ports["s3.port"])) as proxy:
        deployment.define(*UNCOMPRESSED, endpoint=proxy.endpoint)
        fault = HttpFault(request=SECOND_PART, status=404, body=NO_SUCH_UPLOAD)
        lost = proxy.add(fault)
        result = deployment.run()
    assert lost.hits == 1
    assert result.success
    assert retries(result) == 1
    assert deployment.metadata()["dagster/partition_row_count"] == MANY
    assert deployment.unfinished() == []


@pytest.mark.usefixtures("quick_retries")
def test_retries_end(deployment: Deployment) -> None:
    put_many(deployment)
    with FaultProxy(target=("127.0.0.1", deployment.server.ports["s3.port"])) as proxy:
        deployment.define(*UNCOMPRESSED, endpoint=proxy.endpoint)
        lost = proxy.add(
            HttpFault(request=SECOND_PART, status=404, body=NO_SUCH_UPLOAD, times=None)
        )
        result = deployment.run()
    assert not result.success
    assert retries(result) == 2
    assert lost.hits == 3
    assert deployment.objects() == []
    assert deployment.unfinished() == []


def test_a_run_that_is_killed_leaves_nothing_once_it_is_run_again(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_many(deployment)
    with FaultProxy(target=("127.0.0.1", deployment.server.ports["s3.port"])) as proxy:
        deployment.define(*UNCOMPRESSED, endpoint=proxy.endpoint)
        stuck = proxy.add(HttpFault(request=SECOND_PART, do="hang"))
        process = start_run(tmp_path)
        stuck.wait(90)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    data = "events/2026/11/01/20261101T000000Z-20261101T010000Z"
    assert deployment.unfinished() == [f"{data}.jsonl"]
    assert deployment.objects() == [f"{data}_lock.json"]

    # The dead run's lock is waited for; a second will do.
    monkeypatch.setitem(S3Destination.__init__.__kwdefaults__, "lease_seconds", 1.0)
    deployment.define(*UNCOMPRESSED, "verify: deep")
    result = deployment.run()
    assert result.success
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
    assert deployment.unfinished() == []
    assert deployment.objects() == [f"{data}.jsonl", f"{data}_manifest.json"]
    assert landed_ids(deployment, f"{data}.jsonl", tmp_path) == lake_ids(tmp_path / "lake")


def start_run(folder: Path) -> subprocess.Popen[bytes]:
    """The partition by Dagster's command line, in a process group of its own."""
    home = folder / "home"
    home.mkdir()
    arguments = ["asset", "materialize", "--select", "s3/events_archive", "--partition", KEY]
    return subprocess.Popen(
        [sys.executable, "-m", "dagster", *arguments, "-m", "batch_exports.definitions"],
        cwd=folder,
        env={**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def landed_ids(deployment: Deployment, key: str, folder: Path) -> list[str]:
    path = folder / "landed.jsonl"
    deployment.server.client().download_file(deployment.bucket, key, str(path))
    rows = duckdb.sql(f"SELECT uuid FROM read_json('{path}', columns={{uuid: 'VARCHAR'}})")
    return sorted(uuid for (uuid,) in rows.fetchall())


def lake_ids(lake: Path) -> list[str]:
    rows = duckdb.sql(f"SELECT uuid FROM '{lake}/events/*.parquet'").fetchall()
    assert len(rows) == MANY
    return sorted(uuid for (uuid,) in rows)
