"""What happened to objects after their delivery is found, and told in words."""

from typing import Any

import pytest

from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.errors import Terminal
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream
from batch_exports_tests.destinations.s3.adapter import S3Adapter

LOOKS: dict[str, list[Any]] = {"columns": [PROJECTION.schema], "keys": [["uuid"]]}


@pytest.fixture(params=["parquet", "jsonlines"])
def destination(s3: S3Adapter, request: pytest.FixtureRequest) -> S3Destination:
    """Has delivered two files."""
    destination = s3.destination(
        PROJECTION, file_format=request.param, compression="none", max_file_bytes=1
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
