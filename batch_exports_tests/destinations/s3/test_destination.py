"""Deliveries to S3: the suite of all destinations, and what only S3 has."""

import hashlib
import json
import math
import os
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.destinations.s3.destination import COMPRESSIONS
from batch_exports.errors import Terminal
from batch_exports.models import SESSIONS, Projection
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, as_rows, make_rows, stream
from batch_exports_tests.destinations.s3.adapter import S3Adapter
from batch_exports_tests.destinations.suite import Suite, assert_sound

ENCRYPTIONS = {
    "AES256": {"ServerSideEncryption": "AES256"},
    "aws:kms": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/exports"},
}
SPEEDS = Projection(
    SESSIONS,
    SESSIONS.select(("team_id", "session_id", "end_timestamp", "vitals_lcp"), "s3"),
    "inserted_at",
)
CODECS = [(f, c) for f, codecs in COMPRESSIONS.items() for c in codecs]


class TestParquet(Suite):
    @pytest.fixture
    def adapter(self, s3: S3Adapter) -> S3Adapter:
        return s3


class TestJsonLines(Suite):
    @pytest.fixture
    def adapter(self, s3: S3Adapter) -> S3Adapter:
        return s3.having(file_format="jsonlines", compression="gzip")


@pytest.mark.parametrize("style", ["safe", "posthog"])
@pytest.mark.parametrize(("file_format", "compression"), CODECS)
def test_every_codec(s3: S3Adapter, file_format: str, compression: str, style: str) -> None:
    destination = s3.destination(
        PROJECTION, file_format=file_format, compression=compression, style=style
    )
    rows = make_rows(range(300))
    destination.write(stream(rows), HOUR, "run-1")
    assert s3.read(destination, HOUR) == as_rows(rows)
    assert_sound(destination, HOUR, 300)


def test_another_format_leaves_nothing_of_the_first(s3: S3Adapter) -> None:
    many = make_rows(range(400))
    s3.destination(PROJECTION, max_file_bytes=5_000).write(stream(many), HOUR, "run-1")
    assert len(s3.listed()) > 3
    for settings in (
        {"file_format": "jsonlines", "compression": "gzip"},
        {"file_format": "jsonlines", "compression": "brotli", "max_file_bytes": 5_000},
        {"compression": "none"},
        {"codec_suffix": False},
    ):
        rows = make_rows(range(30))
        destination = s3.destination(PROJECTION, **settings)
        destination.write(stream(rows), HOUR, "run-2")
        assert s3.read(destination, HOUR) == as_rows(rows)
        assert s3.leftovers() == []


def test_objects_of_others_are_left_alone(s3: S3Adapter) -> None:
    destination = s3.destination(PROJECTION)
    stem = destination.uri(HOUR).removeprefix(f"s3://{s3.bucket}/")
    others = [f"{s3.prefix}events/x.parquet", f"{stem} copy.parquet", f"{stem}/notes.txt"]
    for key in others:
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"theirs")
    destination.write(stream(make_rows(range(10))), HOUR, "run-1")
    destination.write(stream(make_rows(range(0))), HOUR, "run-2")
    assert set(others) < set(s3.listed())


def test_what_posthog_delivered_is_no_delivery_until_it_is_replaced(s3: S3Adapter) -> None:
    """Its objects, in another format and number, and its manifest, which names keys alone."""
    destination = s3.destination(PROJECTION, style="posthog", max_file_bytes=2**20)
    stem = destination.uri(HOUR).removeprefix(f"s3://{s3.bucket}/")
    theirs = [f"{stem}-{number}.jsonl.gz" for number in range(3)]
    for key in theirs:
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"theirs")
    manifest = json.dumps({"files": theirs}).encode()
    s3.client.put_object(Bucket=s3.bucket, Key=f"{stem}_manifest.json", Body=manifest)
    assert (destination.recorded([HOUR]), destination.files(HOUR)) == ({}, None)
    with pytest.raises(Terminal, match="one of PostHog's"):
        destination.inspect(HOUR)
    destination.write(stream(make_rows(range(10))), HOUR, "run-1")
    assert not set(theirs) & set(s3.listed())
    assert_sound(destination, HOUR, 10)


@pytest.mark.parametrize("file_format", ["parquet", "jsonlines"])
@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_every_object_is_encrypted(s3: S3Adapter, encryption: str, file_format: str) -> None:
    headers = ENCRYPTIONS[encryption]
    destination = s3.destination(
        PROJECTION,
        headers=headers,
        file_format=file_format,
        compression="none",
        max_file_bytes=20_000,
    )
    rows = make_rows(range(400), columns={"distinct_id": [b"\xff", *map(str, range(399))]})
    destination.write(stream(rows), HOUR, "run-1")
    keys = s3.listed()
    assert sum(key.endswith(("_manifest.json", "_rejects.arrow")) for key in keys) == 2
    assert len(keys) >= 4
    for key in keys:
        head: Any = s3.client.head_object(Bucket=s3.bucket, Key=key)
        assert {name: head.get(name) for name in headers} == headers
    assert len(s3.read(destination, HOUR)) == 400
    assert_sound(destination, HOUR, 400)


def test_two_exports_cannot_share_keys(s3: S3Adapter) -> None:
    rows = make_rows(range(10))
    mine = s3.destination(PROJECTION, export="mine")
    mine.write(stream(rows), HOUR, "run-1")
    theirs = s3.destination(PROJECTION, export="theirs", file_format="jsonlines")
    with pytest.raises(Terminal, match=r"'mine' delivers to .* too") as refusal:
        theirs.write(stream(make_rows(range(5))), HOUR, "run-2")
    assert "'theirs' a key_prefix of its own" in refusal.value.remedy
    assert s3.read(mine, HOUR) == as_rows(rows)
    assert s3.leftovers() == []


@pytest.mark.parametrize("max_file_bytes", [0, 20_000])
@pytest.mark.parametrize("file_format", ["parquet", "jsonlines"])
def test_the_manifest_tells_what_is_there(
    s3: S3Adapter, file_format: str, max_file_bytes: int
) -> None:
    destination = s3.destination(
        PROJECTION, file_format=file_format, compression="none", max_file_bytes=max_file_bytes
    )
    rows = make_rows(range(500), columns={"distinct_id": [*map(str, range(499)), b"\xff"]})
    began = datetime.now(UTC)
    delivery = destination.write(stream(rows), HOUR, "run-1")
    manifest = s3.manifest(destination, HOUR)
    assert (
        manifest["files"]
        == s3.data_keys(destination, HOUR)
        == [item["key"] for item in manifest["objects"]]
    )
    assert (len(manifest["files"]) > 1) == bool(max_file_bytes)
    for item in manifest["objects"]:
        body = s3.body(item["key"])
        assert (item["bytes"], item["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert_bounds(s3, destination, manifest)
    assert sum(item["rows"] for item in manifest["objects"]) == manifest["rows"] == 500
    assert (manifest["rejected"], manifest["replaced"]) == (0, 1)
    assert (
        manifest["rejects"]["sha256"]
        == hashlib.sha256(s3.body(manifest["rejects"]["key"])).hexdigest()
    )
    assert (manifest["export"], manifest["model"]) == ("events_archive", "events")
    assert (manifest["membership"], manifest["run_id"]) == ("inserted_at", "run-1")
    assert datetime.fromisoformat(manifest["data_interval_start"]) == HOUR.start
    assert datetime.fromisoformat(manifest["data_interval_end"]) == HOUR.end
    assert (manifest["file_format"], manifest["compression"]) == (file_format, "none")
    assert [column["name"] for column in manifest["columns"]] == PROJECTION.schema.names
    assert began <= datetime.fromisoformat(manifest["delivered_at"]) <= datetime.now(UTC)
    assert [(f.uri, f.rows, f.bytes, f.sha256) for f in delivery.files] == [
        (f"s3://{s3.bucket}/{i['key']}", i["rows"], i["bytes"], i["sha256"])
        for i in manifest["objects"]
    ]


def assert_bounds(s3: S3Adapter, destination: Any, manifest: dict[str, Any]) -> None:
    """Each file's least and greatest membership are those of its rows."""
    for item in manifest["objects"]:
        arrivals = [row["_inserted_at"] for row in s3.read_keys([item["key"]])]
        assert len(arrivals) == item["rows"]
        assert datetime.fromisoformat(item["membership_min"]) == min(arrivals)
        assert datetime.fromisoformat(item["membership_max"]) == max(arrivals)


@pytest.mark.parametrize(("file_format", "compression"), CODECS)
def test_files_are_ended_at_their_limit(s3: S3Adapter, file_format: str, compression: str) -> None:
    limit = 2**20
    destination = s3.destination(
        PROJECTION, file_format=file_format, compression=compression, max_file_bytes=limit
    )
    noise = [f'"{os.urandom(10_000).hex()}"' for _ in range(300)]
    rows = make_rows(range(300), columns={"properties": noise})
    delivery = destination.write(stream(rows, batch_rows=20), HOUR, "run-1")
    keys = [file.uri.removeprefix(f"s3://{s3.bucket}/") for file in delivery.files]
    numbers = [int(key.split("-")[-1].split(".")[0]) for key in keys]
    assert numbers == list(range(len(keys)))
    assert len(keys) > 1
    # A block has at most `limit` bytes before compression; a codec may hold back a fifth of it.
    assert all(limit <= file.bytes < 2.2 * limit for file in delivery.files[:-1])
    assert all(file.rows for file in delivery.files)
    assert s3.read(destination, HOUR) == as_rows(rows)
    fewer = make_rows(range(100))
    destination.write(stream(fewer), HOUR, "run-2")
    assert s3.read(destination, HOUR) == as_rows(fewer)
    assert s3.leftovers() == []


@pytest.mark.parametrize("file_format", ["parquet", "jsonlines"])
def test_no_empty_file_follows_one_that_is_just_full(s3: S3Adapter, file_format: str) -> None:
    destination = s3.destination(
        PROJECTION, file_format=file_format, compression="none", max_file_bytes=1
    )
    rows = make_rows(range(5))
    delivery = destination.write(stream(rows, batch_rows=1), HOUR, "run-1")
    assert [file.rows for file in delivery.files] == [1] * 5
    assert s3.read(destination, HOUR) == as_rows(rows)


def test_json_lines_have_no_numbers_that_json_has_not(s3: S3Adapter) -> None:
    rows = sessions([1.5, math.nan, None, math.inf, -math.inf])
    destination = s3.destination(SPEEDS, file_format="jsonlines", compression="none")
    delivery = destination.write(stream(rows), HOUR, "run-1")
    assert (delivery.rows, delivery.rejected) == (2, 3)
    lines = s3.body(s3.data_keys(destination, HOUR)[0]).decode().splitlines()
    assert [json.loads(line)["vitals_lcp"] for line in lines] == [1.5, None]
    kept = s3.originals(destination, HOUR)
    assert [row["_column"] for row in kept] == ["vitals_lcp"] * 3
    assert [str(row["vitals_lcp"]) for row in kept] == ["nan", "inf", "-inf"]


def test_parquet_has_them(s3: S3Adapter) -> None:
    values = [1.5, math.nan, None, math.inf, -math.inf]
    destination = s3.destination(SPEEDS)
    delivery = destination.write(stream(sessions(values)), HOUR, "run-1")
    assert (delivery.rows, delivery.rejected) == (5, 0)
    landed = pq.read_table(pa.BufferReader(s3.body(s3.data_keys(destination, HOUR)[0])))
    assert list(map(str, landed["vitals_lcp"].to_pylist())) == list(map(str, values))


def sessions(speeds: list[float | None]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"team_id": 1, "session_id": f"{n}", "end_timestamp": HOUR.start, "vitals_lcp": speed}
            for n, speed in enumerate(speeds)
        ],
        SPEEDS.schema,
    )
