"""Archives on disk and on S3: the rows of an interval, and no archive opened in vain."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from batch_exports.errors import Terminal, Transient
from batch_exports.interval import DataInterval
from batch_exports.local.seaweedfs import Server
from batch_exports.models import AMPLITUDE_EVENTS
from batch_exports.sources.amplitude import Archives
from batch_exports_tests.sources.amplitude.rows import (
    MERGED_IDS,
    START,
    event,
    events,
    lines,
    minutes,
    name,
    packed,
    read,
    text,
    uuids,
    zipped,
)
from batch_exports_tests.sources.lake.test_lake import s3_files

# "yyyy-MM-dd_H", hours without a leading zero, and merged IDs named by the organisation:
# https://amplitude.com/docs/data/destination-catalog/amazon-s3
FILES = {
    name(0): packed([event(0), event(59.9)]),
    f"187520/{name(9, 1)}": packed([event(540), event(545)]),
    f"187520/{name(9, 2)}": packed([event(550)]),
    "187520_2026-11-01_10.zip": zipped({name(10, 1): packed([event(600)])}),
    "by hand.zip": zipped(
        {name(11, 1): packed([event(660)]), "187520_2026-11-01_12#1.json": lines([event(720)])}
    ),
    "merged/-189524_2026-11-01_9.json.gz": packed([]),
    "187520_2026-11-01_13_complete": b"",
    ".DS_Store": b"x",
    "_SUCCESS": b"",
}


def put(folder: Path, files: Mapping[str, bytes]) -> Archives:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return Archives(fs.LocalFileSystem(), str(folder), shown_as="archives")


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    return put(tmp_path_factory.mktemp("archives"), FILES)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (minutes(0, 60), [0, 59.9]),
        (minutes(540, 545), [540]),
        (minutes(545, 600), [545, 550]),
        (minutes(600, 660), [600]),
        (minutes(645, 735), [660, 720]),
        (minutes(0, 1440), [0, 59.9, 540, 545, 550, 600, 660, 720]),
        (minutes(1440, 1500), []),
    ],
)
def test_rows_of_an_interval(
    archives: Archives, interval: DataInterval, expected: list[float]
) -> None:
    assert uuids(archives, interval) == expected


def test_on_s3(s3_server: Server, bucket: str) -> None:
    client = s3_server.client()
    for path, data in FILES.items():
        client.put_object(Bucket=bucket, Key=f"exports/{path}", Body=data)
    root = f"{bucket}/exports"
    source = Archives(s3_files(s3_server, s3_server.reader), root, shown_as=f"s3://{root}")
    assert uuids(source, minutes(540, 735)) == [540, 545, 550, 600, 660, 720]


def test_archives_are_told_with_their_sizes(archives: Archives) -> None:
    files = archives.describe(events(), minutes(600, 660)).files
    assert 0 < len(files) < len(FILES)
    assert {file.bytes for file in files} <= {len(data) for data in FILES.values()}


def test_only_archives_of_the_hour_are_opened(tmp_path: Path) -> None:
    """The others are no gzip, and would not be read without an error."""
    others = {name(hour): b"no gzip" for hour in (7, 11)}
    others["by hand.zip"] = zipped({name(11): b"no gzip"})
    source = put(tmp_path, {name(9): packed([event(540)]), **others})
    assert uuids(source, minutes(540, 600)) == [540]


def test_a_row_in_the_archive_of_another_hour_is_counted(tmp_path: Path) -> None:
    """It is not read; the check of rows tells it, as the source counts more than was read."""
    source = put(tmp_path, {name(9): packed([event(541)]), name(10): packed([event(542)])})
    with source.read(events(), minutes(540, 600)) as batches:
        assert batches.read_all().num_rows == 1
    assert source.count(events(), minutes(540, 600)) == 2


WHOLE: dict[str, Any] = {
    "adid": "a",
    "app": 187520,
    "location_lat": 12.3456789,
    "location_lng": None,
    "sample_rate": None,
    "is_attribution_event": False,
    "session_id": -1,
    "user_id": "né\u20ac",
}


def one(tmp_path: Path, line: str | Mapping[str, Any], *columns: str) -> dict[str, Any]:
    source = put(tmp_path, {name(0): packed([line])})
    (row,) = read(source, events("uuid", *columns), minutes(0, 60))
    return row


def test_values(tmp_path: Path) -> None:
    columns = [*WHOLE, "user_creation_time", "followed_an_identify"]
    row = one(tmp_path, event(1) | WHOLE, *columns)
    assert row == {
        "uuid": "00001.0",
        **WHOLE,
        "user_creation_time": None,  # dropped in 2024-10
        "followed_an_identify": None,  # not among the documented members of an archive
    }


def test_every_column_can_be_read(tmp_path: Path) -> None:
    names = [column.name for column in AMPLITUDE_EVENTS.columns]
    row = one(tmp_path, event(1), *(n for n in names if n != "uuid"))
    assert row["amplitude_id"] == 2**53 + 1
    assert row["server_upload_time"] == START + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"true"', "true"),
        # Documented as a boolean of archives, and as text of the table:
        # https://amplitude.com/docs/data/destination-catalog/amazon-s3, …/redshift
        ("true", "true"),
        ("-1.50e3", "-1.50e3"),
        ("null", None),
        ('"null"', "null"),
        ('"a \\"b\\" \\u00e9"', 'a "b" é'),
    ],
)
def test_text_takes_scalars(tmp_path: Path, written: str, value: str | None) -> None:
    line = json.dumps(event(1))[:-1] + f', "paying": {written}}}'
    assert one(tmp_path, line, "paying")["paying"] == value


@pytest.mark.parametrize("written", ["0.5", '"0.5"', "5e-1"])
def test_sample_rate_is_a_decimal(tmp_path: Path, written: str) -> None:
    line = json.dumps(event(1)).replace('"sample_rate": null', f'"sample_rate": {written}')
    assert one(tmp_path, line, "sample_rate")["sample_rate"] == Decimal("0.5")


def test_json_keeps_its_text(tmp_path: Path) -> None:
    raw = '{"b": 1.10, "a": {"z": 12345678901234567890123, "y": [1, "\\u00e9"]}, "c":null}'
    line = json.dumps(event(1))[:-1] + f', "event_properties": {raw}, "groups": null}}'
    row = one(tmp_path, line, "event_properties", "groups")
    assert row["event_properties"] == raw
    assert row["groups"] is None


@pytest.mark.parametrize(
    ("written", "micros"),
    [("2026-11-01 00:13:09.369000", 369_000), ("2026-11-01 00:13:09", 0),
     ("2026-11-01T00:13:09.000001", 1), ("2026-11-01T00:13:09Z", 0)],
)  # fmt: skip
def test_times_without_a_zone_are_utc(tmp_path: Path, written: str, micros: int) -> None:
    row = one(tmp_path, event(1, server_upload_time=written), "server_upload_time")
    assert row["server_upload_time"] == datetime(2026, 11, 1, 0, 13, 9, micros, tzinfo=UTC)


def merge(*, minutes: float, as_text: bool) -> dict[str, Any]:
    moment = START + timedelta(minutes=minutes)
    earlier = moment - timedelta(seconds=2.5)
    times = [text(t) if as_text else int(t.timestamp() * 1000) for t in (earlier, moment)]
    return {
        "scope": 187520,
        "merge_time": times[0],
        "merge_server_time": times[1],
        "amplitude_id": 9,
        "merged_amplitude_id": 8,
    }


@pytest.mark.parametrize("as_text", [False, True])
def test_merged_ids(tmp_path: Path, as_text: bool) -> None:
    """Times are whole numbers, taken for milliseconds; and a merge may be in the next file."""
    source = put(
        tmp_path,
        {
            "-189524_2026-11-01_9.json.gz": packed([merge(minutes=550, as_text=as_text)]),
            "-189524_2026-11-01_10.json.gz": packed([merge(minutes=599.9, as_text=as_text)]),
            name(9): packed([event(541)]),
        },
    )
    rows = read(source, MERGED_IDS, minutes(540, 600))
    assert rows[0] == {
        "amplitude_id": 9,
        "merge_event_time": START + timedelta(minutes=550, seconds=-2.5),
        "merge_server_time": START + timedelta(minutes=550),
        "merged_amplitude_id": 8,
    }
    assert [row["merge_server_time"] for row in rows[1:]] == [START + timedelta(minutes=599.9)]


ROWS = packed([event(1 + number / 1000) for number in range(30_000)])


@pytest.mark.parametrize(
    ("path", "data", "told"),
    [
        (name(0), ROWS[: len(ROWS) // 2], r"_0#1\.json\.gz, after line \d{4,}: Compressed file"),
        (name(0), ROWS[:-8] + bytes(8), r"_0#1\.json\.gz, after line \d{5}: CRC"),
        (name(0), b"no gzip", r"_0#1\.json\.gz, after line 0: "),
        ("a.zip", zipped({name(0): ROWS})[:-9], r"archives/a\.zip: File is not a zip file"),
        ("a.zip", zipped({name(0): ROWS[:999]}), r"archives/a\.zip, 187520/.*after line 0: "),
        (name(0), packed([event(1), "{"]), r"_0#1\.json\.gz, line 2: "),
        (name(0), packed([event(1), event(2, app="x")]), r"line 2: 'app' is \"x\""),
        (name(0), packed([event(1, server_upload_time=None)]), "1 lines have no server_upload_t"),
        (name(0), packed([event(1, sample_rate=1e-12)]), r"'sample_rate' from line 1 on has what"),
        ("notes.txt", b"", r"archives/notes\.txt is no archive of Amplitude's"),
        ("1_2026-11-31_9#1.json.gz", b"", "names no hour"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path: Path, path: str, data: bytes, told: str) -> None:
    source = put(tmp_path, {path: data})
    with (
        pytest.raises(Terminal, match=told),
        source.read(events("uuid", "app", "sample_rate"), minutes(0, 60)) as batches,
    ):
        batches.read_all()


def test_no_folder(tmp_path: Path) -> None:
    source = Archives(fs.LocalFileSystem(), str(tmp_path / "none"), shown_as="./none")
    with pytest.raises(Terminal, match=r"There is no folder \./none"):
        source.count(events(), minutes(0, 60))


def test_an_hour_that_may_be_under_way_is_not_read(archives: Archives) -> None:
    """Amplitude's export of an hour ends within an hour:
    https://amplitude.com/docs/data/destination-catalog/amazon-s3"""
    now = datetime.now(UTC)
    late = DataInterval(now - timedelta(minutes=5), now)
    # The hour of the last moment within, whatever the time at which this runs.
    ready = (now - timedelta(microseconds=1)).replace(minute=0) + timedelta(hours=2)
    with (
        pytest.raises(Transient, match=f"from {ready:%Y-%m-%d %H:%M} UTC on"),
        archives.read(events(), late),
    ):
        pass
