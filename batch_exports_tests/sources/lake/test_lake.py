"""A lake of every kind of file, on disk and on S3: the same rows, counted by another way."""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from batch_exports.errors import BatchExportError, Terminal
from batch_exports.interval import DataInterval
from batch_exports.local.seaweedfs import Keys, Server
from batch_exports.sources.lake import Lake
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.sources.lake.lakes import (
    START,
    event,
    lake,
    line,
    minutes,
    put,
    read,
    select,
    uuids,
)

ROWS = [event(number) for number in range(240)]
FILES = {
    "a.parquet": ROWS[:60],
    "2026/11/01/b.parquet": ROWS[60:120],
    "2026/c.jsonl": ROWS[120:160],
    "2026/11/d.jsonl.gz": ROWS[160:200],
    "2026/11/e.jsonl.zst": ROWS[200:],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lake")
    for name, rows in FILES.items():
        put(root, name, rows, **({"row_group_size": 7} if name.endswith(".parquet") else {}))
    for hidden in (
        "_SUCCESS",
        ".part.crc",
        "_temporary/0/x.parquet",
        "2026/_d/y.txt",
        ".z/z.jsonl",
    ):
        path = root / "events" / hidden
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("no data")
    return root


def s3_files(server: Server, keys: Keys) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        endpoint_override=server.endpoint.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        access_key=keys.access_key_id,
        secret_key=keys.secret_access_key,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )


@pytest.fixture(params=["disk", "s3"])
def source(request: pytest.FixtureRequest, folder: Path) -> Lake:
    if request.param == "disk":
        return lake(folder)
    server, bucket = request.getfixturevalue("s3_server"), request.getfixturevalue("bucket")
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"lake/{path.relative_to(folder)}"
            server.client().upload_file(str(path), bucket, key)
    return Lake(s3_files(server, server.reader), f"{bucket}/lake", shown_as=f"s3://{bucket}/lake")


def test_all_files_give_their_rows(source: Lake) -> None:
    columns = ("uuid", "event", "distinct_id", "timestamp", "properties", "_inserted_at", "team_id")
    found = sorted(read(source, select(*columns), minutes(0, 240)), key=lambda row: row["uuid"])
    assert [row | {"inserted_at": row.pop("_inserted_at")} for row in found] == [
        {name: row[name] for name in row if name != "person_properties"} for row in ROWS
    ]


PRO = PropertyFilter("plan", "person", "exact", "pro")
FILTERS: list[tuple[RowFilter, Callable[[dict[str, Any]], bool]]] = [
    (RowFilter(), lambda row: True),
    (RowFilter(("click", "none such")), lambda row: row["event"] == "click"),
    (RowFilter((), ("click",)), lambda row: row["event"] != "click"),
    (RowFilter(("click", "$pageview"), ("click",)), lambda row: row["event"] == "$pageview"),
    (RowFilter(properties=(PRO,)), lambda row: "pro" in (row["person_properties"] or "")),
    (
        RowFilter(("click",), (), (PRO, PropertyFilter("n", "event", "gt", 50))),
        lambda row: (
            row["event"] == "click"
            and "pro" in (row["person_properties"] or "")
            and json.loads(row["properties"])["n"] > 50
        ),
    ),
]


@pytest.mark.parametrize("membership", ["inserted_at", "timestamp"])
def test_any_interval_and_filter(membership: str, folder: Path) -> None:
    chance, source = random.Random(7), lake(folder)
    for filters, passes in FILTERS * 3:
        start = START + timedelta(microseconds=chance.randrange(-(10**10), 16 * 10**9))
        interval = DataInterval(start, start + timedelta(microseconds=chance.randrange(1, 10**10)))
        expected = [
            row["uuid"]
            for row in ROWS
            if interval.start <= row[membership] < interval.end and passes(row)
        ]
        selection = select("uuid", membership=membership, filters=filters)
        assert uuids(source, selection, interval) == expected


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_derived_and_optional_columns(name: str, tmp_path: Path) -> None:
    properties = ['{"$set":{"b":1.10,"a":2},"$set_once":null,"$ip":"::1"}', "{}", "[1]", None]
    put(tmp_path, name, [event(at, properties=text) for at, text in enumerate(properties)])
    columns = ("uuid", "set", "set_once", "ip", "elements", "site_url")
    found = read(lake(tmp_path), select(*columns), minutes(0, 60))
    empty = dict.fromkeys(columns)
    assert found == [
        empty | {"uuid": "0000", "set": '{"b":1.10,"a":2}', "ip": "::1"},
        *(empty | {"uuid": f"{at:04}"} for at in (1, 2, 3)),
    ]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_a_column_of_its_own_is_not_derived(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, name, [event(0)])
    if name == "a.parquet":
        pq.write_table(pq.read_table(path).append_column("ip", [["of its own"]]), path)
    else:
        path.write_text(line(event(0, ip="of its own")))
    assert read(lake(tmp_path), select("uuid", "ip"), minutes(0, 60))[0]["ip"] == "of its own"


def test_files_are_told_with_their_sizes(source: Lake) -> None:
    told = source.describe(select(), minutes(0, 10))
    assert {file.uri.partition("/events/")[2] for file in told.files} == set(FILES)
    assert all(file.bytes for file in told.files)
    assert told.uncounted is None


def test_missing_folder(tmp_path: Path) -> None:
    failure = error(lake(tmp_path))
    assert "has no folder 'events'" in failure.message
    assert "lake:/events/" in failure.remedy


def test_unknown_kind_of_file(folder: Path, tmp_path: Path) -> None:
    put(tmp_path, "a.parquet", ROWS[:1])
    (tmp_path / "events" / "notes.csv").write_text("a,b")
    failure = error(lake(tmp_path))
    assert "lake:/events/notes.csv" in failure.message
    assert ".jsonl.zst" in failure.remedy


def test_missing_bucket_and_wrong_keys(s3_server: Server, bucket: str) -> None:
    s3_server.client().put_object(Bucket=bucket, Key="events/a.jsonl", Body=b"{}\n")
    wrong = Keys(s3_server.reader.access_key_id, "no such secret")
    denied = error(Lake(s3_files(s3_server, wrong), bucket, shown_as="s3://mine"))
    assert "s3://mine" in denied.message
    assert "keys" in denied.remedy
    gone = error(
        Lake(s3_files(s3_server, s3_server.reader), "none-such", shown_as="s3://none-such")
    )
    assert "s3://none-such" in gone.message


def error(source: Lake, **selection: Any) -> BatchExportError:
    """What both reading and counting raise."""
    with pytest.raises(Terminal) as read_error, source.read(select(), minutes(0, 60)) as batches:
        batches.read_all()
    with pytest.raises(Terminal) as count_error:
        source.count(select(), minutes(0, 60))
    assert read_error.value.message == count_error.value.message
    return read_error.value
