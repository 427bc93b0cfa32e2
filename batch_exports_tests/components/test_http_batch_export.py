"""What users write of exports over HTTP, its errors, and deliveries through Dagster."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from batch_exports.cli import main
from batch_exports.components.errors import InvalidComponent
from batch_exports.interval import DataInterval
from batch_exports.local.seaweedfs import Server
from batch_exports.lookup import find_export
from batch_exports.verification import verify
from batch_exports_tests.deployment import CONNECTION, LAKE, START, errors_of, load
from batch_exports_tests.destinations.http.place import identifies
from batch_exports_tests.destinations.http.receiver import KEY, Receiver, answers

HTTP = """\
type: batch_exports.HttpConnection
attributes:
  name: data_plane
  form: rudderstack
  endpoint_url: https://hosted.example.com
  write_key: {env: TEST_WRITE_KEY}
"""
EXPORT = """\
type: batch_exports.HttpBatchExport
attributes:
  name: users_out
  source: lake
  model: identifies
  start: "2026-11-01"
  connection: data_plane
  record: {connection: archive, bucket_name: records}
"""
HOUR = DataInterval(START, START.replace(hour=1))
PARTITION = "2026-11-01-00:00"
Define = Callable[..., dg.Definitions]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_WRITE_KEY", KEY)
    monkeypatch.setattr("batch_exports.destinations.http.tries._FIRST_PAUSE", 0.01)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def define(
    tmp_path: Path,
    receiver: Receiver,
    s3_server: Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Define:
    """Loads the export to the receiver, from a lake of the rows given."""
    monkeypatch.setenv("TEST_KEY_ID", s3_server.admin.access_key_id)
    monkeypatch.setenv("TEST_SECRET", s3_server.admin.secret_access_key)
    archive = CONNECTION + (
        f"  endpoint_url: {s3_server.endpoint}\n  allow_http: true\n"
        "  aws_access_key_id: {env: TEST_KEY_ID}\n  aws_secret_access_key: {env: TEST_SECRET}\n"
    )
    http = HTTP.replace("https://hosted.example.com", receiver.address)
    lake = LAKE.replace("path: lake", f"path: {tmp_path}/lake")

    def defined(rows: pa.RecordBatch, *lines: str) -> dg.Definitions:
        (tmp_path / "lake" / "identifies").mkdir(parents=True, exist_ok=True)
        pq.write_table(
            pa.Table.from_batches([rows]), tmp_path / "lake" / "identifies" / "1.parquet"
        )
        export = EXPORT.replace("records", bucket) + "".join(f"  {line}\n" for line in lines)
        files = {"a/defs.yaml": "---\n".join([archive, http, lake, export])}
        return load(tmp_path / "defs", files, monkeypatch)

    return defined


def run(definitions: dg.Definitions) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def("users_out_job")
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            partition_key=PARTITION, instance=instance, raise_on_error=False
        )


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}


def test_a_partition_is_delivered_and_checked(define: Define, receiver: Receiver) -> None:
    result = run(define(identifies([str(n) for n in range(50)], HOUR)))
    assert result.success, errors_of(result)
    assert len(receiver.calls) == 50
    assert {"row_count", "schema", "keys", "values"} <= {*checks(result)}
    assert all(checks(result).values())
    (materialization,) = result.get_asset_materialization_events()
    told = materialization.materialization.metadata
    assert told["dagster/partition_row_count"].value == 50
    assert told["dagster/uri"].value == f"{receiver.address}/v1/batch"
    assert KEY not in str(told)


def test_what_arrived_is_not_said_to_be_verified(define: Define) -> None:
    assert run(define(identifies(["one", "two"], HOUR))).success
    found = find_export("users_out")
    with found.resources(found.export.destination_resources) as resources:
        destination = found.export.destination(resources)
        verified = verify(destination, HOUR, lambda: pytest.fail("the source is not needed"))
    assert verified.problems == ()
    assert verified.rows is None
    assert "what arrived cannot be asked for" in verified.compared


def test_deletes_are_seen(define: Define, receiver: Receiver) -> None:
    rows = identifies(["1", "2"], HOUR, operation=["update", "delete"])
    result = run(define(rows))
    assert [name for name, passed in checks(result).items() if not passed] == ["values"]
    result = run(define(rows, "on_delete: skip"))
    assert all(checks(result).values())
    assert receiver.repeated == 1


def test_an_endpoint_that_refuses_the_key_ends_the_run(define: Define, receiver: Receiver) -> None:
    receiver.faults += [answers(401)]
    result = run(define(identifies(["1"], HOUR)))
    assert not result.success
    (message, *_) = errors_of(result)
    assert "Correct the connection's write_key" in message
    assert KEY not in message


def test_the_command_tries_it(define: Define, receiver: Receiver) -> None:
    define(identifies(["1"], HOUR))
    done = CliRunner().invoke(main, ["test", "users_out"])
    assert done.exit_code == 0, done.output
    assert "the write key is taken" in done.output
    assert "an object was put there, and is listed" in done.output
    assert KEY not in done.output
    assert receiver.calls == {}


def loaded(folder: Path, patch: pytest.MonkeyPatch, http: str, export: str) -> dg.Definitions:
    return load(folder, {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, http, export])}, patch)


def test_the_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = loaded(tmp_path, monkeypatch, HTTP, EXPORT)
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    spec = specs[dg.AssetKey(["http", "users_out"])]
    assert spec.kinds == {"http"}
    assert spec.metadata["dagster/uri"] == "https://hosted.example.com/v1/batch"
    assert spec.metadata["record"] == "s3://records/users_out/"
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["lake", "identifies"])]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("model", "events", "there are no calls for events"),
        ("columns", "[record_id, operation]", "'user_id' is not among them"),
        ("requests_per_second", "0", "0.0 is too small"),
        ("timeout_seconds", "0", "0 is too small"),
        ("operations", "[]", "nothing would be sent"),
        ("operations", "[delete]", "delete"),
        ("on_delete", "forget", "forget"),
        ("connection", "archive", "no HttpConnection named 'archive'"),
        ("shards", "2", "calls that were sent cannot be committed together"),
        ("record", "{connection: data_plane, bucket_name: b}", "no S3Connection named"),
        ("record", "{connection: archive, bucket_name: ''}", "it is empty"),
        ("record", "{connection: archive, bucket_name: b, key_prefix: '{hours}'}",
         "{hours} is not a variable"),
    ],
)  # fmt: skip
def test_wrong_exports(
    field: str, value: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for line in EXPORT.splitlines() if not line.startswith(f"  {field}:")]
    export = "\n".join([*lines, f"  {field}: {value}", ""])
    with pytest.raises(InvalidComponent) as caught:
        loaded(tmp_path, monkeypatch, HTTP, export)
    assert problem in str(caught.value)
    assert field in str(caught.value)
    assert "defs.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("endpoint_url", "http://hosted.example.com", "not encrypted"),
        ("endpoint_url", "hosted.example.com", "not encrypted, or no URL"),
        ("endpoint_url", "https://", "no URL"),
        ("endpoint_url", '"https://[::1"', "it is no URL"),
        ("endpoint_url", "https://hosted.example.com/v1/batch", "Leave out /v1/batch"),
        ("form", "mixpanel", "mixpanel"),
    ],
)  # fmt: skip
def test_wrong_connections(
    field: str, value: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for line in HTTP.splitlines() if not line.startswith(f"  {field}:")]
    with pytest.raises(InvalidComponent, match=field) as caught:
        loaded(tmp_path, monkeypatch, "\n".join([*lines, f"  {field}: {value}", ""]), EXPORT)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "line", ["write_key: planted", "endpoint_url: https://planted@hosted.example.com",
             "endpoint_url: https://hosted.example.com?key=planted"],
)  # fmt: skip
def test_secrets_do_not_stand_in_the_file(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = line.partition(":")[0]
    lines = [each for each in HTTP.splitlines() if not each.startswith(f"  {field}:")]
    with pytest.raises(InvalidComponent, match=field) as caught:
        loaded(tmp_path, monkeypatch, "\n".join([*lines, f"  {line}", ""]), EXPORT)
    assert "planted" not in str(caught.value)


def test_a_key_that_cannot_be_one(
    define: Define, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(identifies(["1"], HOUR))
    monkeypatch.setenv("TEST_WRITE_KEY", "a key\n")
    done = CliRunner().invoke(main, ["test", "users_out"])
    assert done.exit_code == 1
    assert "TEST_WRITE_KEY has characters that no key has" in done.output
    assert "a key" not in done.output


def test_files_that_another_export_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = """\
type: batch_exports.S3BatchExport
attributes: {name: files, source: lake, model: identifies, start: "2026-11-01",
  connection: archive, bucket_name: b}
---
"""
    load_from = EXPORT.replace("source: lake", "load_from: files\n  delay_seconds: 120")
    definitions = loaded(
        tmp_path, monkeypatch, HTTP, files + load_from.replace("  model: identifies\n", "")
    )
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    deps = specs[dg.AssetKey(["http", "users_out"])].deps
    assert [dep.asset_key for dep in deps] == [dg.AssetKey(["s3", "files"])]
