"""Intervals that come to S3 in shards."""

from typing import Any

import pytest

from batch_exports.errors import Terminal, Transient
from batch_exports.local.seaweedfs import Server
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, as_rows, make_rows, stream
from batch_exports_tests.destinations.s3.adapter import S3Adapter, client
from batch_exports_tests.destinations.sharded import SHARDS, ShardedSuite, sharded, stage
from batch_exports_tests.destinations.suite import assert_sound
from batch_exports_tests.faults import FaultProxy, HttpFault


class TestSharded(ShardedSuite):
    @pytest.fixture
    def adapter(self, s3: S3Adapter) -> S3Adapter:
        return numbered(s3)


def numbered(s3: S3Adapter) -> S3Adapter:
    return s3.having(max_file_bytes=2**30)


@pytest.mark.parametrize("style", ["safe", "posthog"])
def test_no_two_shards_have_a_key_in_common(s3: S3Adapter, style: str) -> None:
    destination: Any = s3.destination(
        PROJECTION, max_file_bytes=3_000, style=style, file_format="jsonlines", compression="none"
    )
    rows = make_rows(range(60))
    receipts = stage(destination, rows, "run-1")
    keys = [file["key"] for receipt in receipts for file in receipt["files"]]
    assert len(set(keys)) == len(keys) > SHARDS
    for number, receipt in enumerate(receipts):
        ends = [f"-{number + turn * SHARDS}.jsonl" for turn in range(len(receipt["files"]))]
        assert all(f["key"].endswith(e) for f, e in zip(receipt["files"], ends, strict=True))
    delivery = destination.commit(receipts, HOUR, "run-1")
    assert [file.uri for file in delivery.files] == [f"s3://{s3.bucket}/{key}" for key in keys]
    assert s3.read(destination, HOUR) == as_rows(rows)


@pytest.mark.parametrize(
    "fault",
    [
        HttpFault(request=r"^POST .*-2\..*uploadId=", times=None),
        HttpFault(request="^PUT .*_manifest.json", times=None),
        HttpFault(request=r"^POST .*-2\..*uploadId=", do="reset", forward=True),
    ],
    ids=["a file is not completed", "no manifest is put", "answer of complete lost"],
)
def test_a_commit_that_failed_halfway_is_done_again(
    s3: S3Adapter, s3_server: Server, monkeypatch: pytest.MonkeyPatch, fault: HttpFault
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    rows = make_rows(range(40))
    destination = sharded(numbered(s3))
    receipts = stage(destination, rows, "run-1")
    with FaultProxy(("127.0.0.1", s3_server.ports["s3.port"])) as proxy:
        through = client(**{**s3.connection, "endpoint_url": proxy.endpoint})
        proxy.add(fault)
        faulty = sharded(numbered(s3), client=through)
        if fault.times is None:
            with pytest.raises(Transient):
                faulty.commit(receipts, HOUR, "run-1")
            with pytest.raises(Terminal, match="Nothing was delivered"):
                destination.inspect(HOUR)
            proxy.heal()
        faulty.commit(receipts, HOUR, "run-1")
    assert s3.read(destination, HOUR) == as_rows(rows)
    assert_sound(destination, HOUR, 40)
    assert s3.leftovers() == []


def test_an_export_that_was_changed_commits_nothing_of_before(s3: S3Adapter) -> None:
    receipts = stage(sharded(numbered(s3)), make_rows(range(5)), "run-1")
    with pytest.raises(Terminal, match=r"staged them as parquet, zstd.*as jsonlines, gzip"):
        sharded(numbered(s3), file_format="jsonlines", compression="gzip").commit(
            receipts, HOUR, "run-1"
        )


def test_every_object_is_encrypted(s3: S3Adapter) -> None:
    """By headers of the request that begins an upload, which a shard makes:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html"""
    headers = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/exports"}
    destination = sharded(numbered(s3), headers=headers)
    rows = make_rows(range(9), columns={"distinct_id": [b"\xff"] * 9})
    destination.commit(stage(destination, rows, "run-1"), HOUR, "run-1")
    keys = s3.listed()
    assert len(keys) == 2 * SHARDS + 1
    for key in keys:
        head: Any = s3.client.head_object(Bucket=s3.bucket, Key=key)
        assert {name: head.get(name) for name in headers} == headers


def test_a_place_of_another_export_is_refused_before_rows_are_read(s3: S3Adapter) -> None:
    adapter = numbered(s3)
    sharded(adapter, export="mine").write(stream(make_rows(range(3))), HOUR, "run-1")
    with pytest.raises(Terminal, match="'mine' delivers to"):
        stage(sharded(adapter, export="yours"), make_rows(range(3)), "run-2")
    assert s3.leftovers() == []
