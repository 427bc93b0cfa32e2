"""What happened to objects after their delivery is found, and told in words."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.errors import Terminal
from batch_exports.models import SESSIONS, Projection
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream
from batch_exports_tests.destinations.s3.adapter import S3Adapter
from batch_exports_tests.destinations.suite import no_source

SECOND = timedelta(seconds=1)
SESSION_VERSIONS = Projection(
    SESSIONS,
    SESSIONS.select(("team_id", "session_id", "end_timestamp", "urls"), "s3"),
    "inserted_at",
)
LOOKS: dict[str, list[Any]] = {"columns": [PROJECTION.schema], "keys": [["uuid"]]}


@pytest.fixture(params=["parquet", "jsonlines"])
def file_format(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def destination(s3: S3Adapter, file_format: str) -> S3Destination:
    """Has delivered two files."""
    destination = s3.destination(
        PROJECTION, file_format=file_format, compression="none", max_file_bytes=1
    )
    destination.write(stream(make_rows(range(2)), batch_rows=1), HOUR, "run-1")
    return destination


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("how", ["deleted", "emptied", "changed", "same size"])
def test_what_became_of_an_object_is_told(
    s3: S3Adapter, destination: S3Destination, how: str, deep: bool
) -> None:
    key = s3.data_keys(destination, HOUR)[1]
    change(s3, key, how)
    found = destination.inspect(HOUR, deep=deep)
    [problem] = found.problems
    assert key in problem
    assert ("not in the bucket" in problem) == (how == "deleted")
    assert found.rows in (1, None)


def test_a_file_that_no_manifest_names_is_told_and_swept_away(
    s3: S3Adapter, destination: S3Destination
) -> None:
    """As a run leaves it that is killed between completing its files and writing the manifest."""
    key = s3.data_keys(destination, HOUR)[1].replace("-1.", "-2.")
    s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"of an earlier delivery")
    [problem] = destination.inspect(HOUR).problems
    assert problem == f"{key} is in the bucket, and not in the manifest."
    destination.write(stream(make_rows(range(2))), HOUR, "run-2")
    assert destination.inspect(HOUR).problems == ()
    assert key not in s3.listed()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("how", ["deleted", "garbage", "cut"])
def test_what_cannot_be_read_is_told(
    s3: S3Adapter, destination: S3Destination, how: str, look: str
) -> None:
    key = s3.data_keys(destination, HOUR)[1]
    change(s3, key, how)
    with pytest.raises(Terminal) as failure:
        getattr(destination, look)(HOUR, *LOOKS[look])
    assert "materialize the partition again" in failure.value.remedy


def test_a_file_is_changed_with_its_size_and_etag_unchanged(
    s3: S3Adapter, destination: S3Destination
) -> None:
    manifest_key = next(key for key in s3.listed() if key.endswith("_manifest.json"))
    manifest = s3.body(manifest_key).decode()
    first = s3.manifest(destination, HOUR)["objects"][0]
    tampered = manifest.replace(first["sha256"], "0" * 64).encode()
    s3.client.put_object(Bucket=s3.bucket, Key=manifest_key, Body=tampered)
    assert destination.inspect(HOUR).problems == ()
    [problem] = destination.inspect(HOUR, deep=True).problems
    assert "SHA-256" in problem


@pytest.mark.parametrize("body", [b"", b"{}", b'{"files": []}', b"\xff"])
def test_a_manifest_that_is_none_is_told_and_replaced(
    s3: S3Adapter, destination: S3Destination, body: bytes
) -> None:
    key = next(key for key in s3.listed() if key.endswith("_manifest.json"))
    s3.client.put_object(Bucket=s3.bucket, Key=key, Body=body)
    with pytest.raises(Terminal, match="is not a manifest") as failure:
        destination.inspect(HOUR)
    assert key in failure.value.message
    destination.write(stream(make_rows(range(5))), HOUR, "run-2")
    assert destination.inspect(HOUR, deep=True).rows == 5


def change(s3: S3Adapter, key: str, how: str) -> None:
    body = s3.body(key)
    changed = {
        "emptied": b"",
        "changed": body + b"\n",
        "same size": bytes(reversed(body)),
        "garbage": b"\xff garbage\n" * 20,
        "cut": body[: len(body) // 2],
    }
    if how == "deleted":
        s3.client.delete_object(Bucket=s3.bucket, Key=key)
    else:
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=changed[how])


def test_versions_of_a_key_are_told_apart_by_key_and_version(
    s3: S3Adapter, file_format: str
) -> None:
    destination = s3.destination(SESSION_VERSIONS, file_format=file_format)
    rows = [("a", 1, ["/"]), ("a", 2, ["/", "/cart"]), ("b", 1, []), ("b", 1, None), ("b", 1, [])]
    destination.write(stream(versions(rows)), HOUR, "run-1")
    found = destination.keys(HOUR, no_source)
    assert (found.rows, found.nulls, found.duplicates) == (5, 0, 2)
    [example] = found.examples
    assert "'session_id': 'b'" in example
    assert "2026-11-01" in example
    assert destination.columns(HOUR, SESSION_VERSIONS.schema).problems == ()


def test_a_delivery_without_a_column_of_the_key_is_told(s3: S3Adapter, file_format: str) -> None:
    columns = ("team_id", "session_id")
    narrow = Projection(SESSIONS, SESSIONS.select(columns, "s3"), "inserted_at")
    before = s3.destination(narrow, file_format=file_format)
    before.write(stream(versions([("a", 1, [])]).select(columns)), HOUR, "run-1")
    with pytest.raises(Terminal, match="'end_timestamp'") as failure:
        s3.destination(SESSION_VERSIONS, file_format=file_format).keys(HOUR, no_source)
    assert "Materialize" in failure.value.remedy


def versions(rows: Sequence[tuple[str, int, list[str] | None]]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "team_id": 1,
                "session_id": name,
                "end_timestamp": HOUR.start + n * SECOND,
                "urls": urls,
            }
            for name, n, urls in rows
        ],
        SESSION_VERSIONS.schema,
    )
