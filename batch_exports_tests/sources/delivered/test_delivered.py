"""Rows read back from what an export has delivered."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal, Transient
from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.destinations.rows import HOUR, as_rows
from batch_exports_tests.destinations.s3.adapter import S3Adapter
from batch_exports_tests.sources.delivered.deliveries import HALVES, SELECTION, Deliveries


@pytest.mark.parametrize(
    ("file_format", "compression"),
    [
        ("parquet", "zstd"),
        ("jsonlines", "none"),
        ("jsonlines", "gzip"),
        ("jsonlines", "brotli"),
        ("jsonlines", "zstd"),
    ],
)
def test_an_hour_is_made_of_its_halves(s3: S3Adapter, file_format: str, compression: str) -> None:
    deliveries = Deliveries.to(s3, file_format=file_format, compression=compression)
    delivered = [deliveries.deliver(0), deliveries.deliver(1, 7)]
    with deliveries.source.read(SELECTION, HOUR) as batches:
        found = batches.read_all()
    assert found.schema == SELECTION.schema
    assert as_rows(found) == as_rows(pa.concat_tables(delivered))
    assert deliveries.source.count(SELECTION, HOUR) == 27
    with deliveries.source.read(SELECTION, HALVES[1]) as batches:
        assert as_rows(batches.read_all()) == as_rows(delivered[1])


@pytest.mark.parametrize("file_format", ["parquet", "jsonlines"])
def test_filters_and_columns_are_the_loads_own(s3: S3Adapter, file_format: str) -> None:
    deliveries = Deliveries.to(s3, file_format=file_format, max_file_bytes=2000)
    deliveries.deliver(0)
    delivered = deliveries.deliver(1)
    filters = RowFilter(
        include_events=("$pageview",), properties=(PropertyFilter("number", "event", "gt", 1009),)
    )
    selection = replace(SELECTION, columns=EVENTS.select(("uuid", "event"), "s3"), filters=filters)
    with deliveries.source.read(selection, HALVES[1]) as batches:
        found = batches.read_all()
    expected = [
        {"uuid": row["uuid"], "event": row["event"]}
        for row in delivered.to_pylist()
        if json.loads(row["properties"])["number"] > 1009 and row["event"] == "$pageview"
    ]
    assert as_rows(found) == sorted(expected, key=lambda row: str(row["uuid"]))
    assert deliveries.source.count(selection, HALVES[1]) == len(expected)


def test_the_files_are_told(s3: S3Adapter) -> None:
    deliveries = Deliveries.to(s3)
    deliveries.deliver(0)
    deliveries.deliver(1)
    told = deliveries.source.describe(SELECTION, HOUR)
    expected = [file for one in deliveries.source.deliveries(HOUR) for file in one.files]
    assert [(file.uri, file.bytes) for file in told.files] == [(f.uri, f.bytes) for f in expected]
    assert len(told.files) == 2


def test_a_missing_delivery_is_awaited(s3: S3Adapter) -> None:
    deliveries = Deliveries.to(s3)
    deliveries.deliver(0)
    with (
        pytest.raises(Transient, match=r"events_files has not delivered \[2026-11-01T10:30:00Z"),
        deliveries.source.read(SELECTION, HOUR),
    ):
        pass


def test_a_column_that_was_not_delivered_then(s3: S3Adapter) -> None:
    """The files of today's export have it, those of earlier deliveries do not."""
    deliveries = Deliveries.to(s3)
    fewer = replace(
        deliveries.destination, projection=replace(SELECTION, columns=SELECTION.columns[:4])
    )
    rows = deliveries.deliver(1).select([column.name for column in SELECTION.columns[:4]])
    fewer.write(rows.to_reader(), HALVES[1], "run-2")
    with (
        deliveries.source.read(SELECTION, HALVES[1]) as batches,
        pytest.raises(Terminal, match="has no column '_inserted_at'"),
    ):
        batches.read_all()


def test_a_delivery_that_is_replaced_while_it_is_read(s3: S3Adapter) -> None:
    """Some of its rows are the old ones, and some may be new."""
    deliveries = Deliveries.to(s3)
    deliveries.deliver(0)
    looks: list[DataInterval] = []

    def before(interval: DataInterval) -> None:
        looks.append(interval)
        if len(looks) == 2:
            deliveries.deliver(0, label="again")

    source = deliveries.watched(before)
    with (
        source.read(SELECTION, HALVES[0]) as batches,
        pytest.raises(Transient, match=r"delivered .* again while its files were read"),
    ):
        batches.read_all()


def test_a_delivery_under_way(s3: S3Adapter) -> None:
    """Its files are replaced before its manifest is."""
    deliveries = Deliveries.to(s3)
    deliveries.deliver(0)
    [key] = s3.data_keys(deliveries.destination, HALVES[0])
    s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"the next one's")
    with pytest.raises(Transient, match="is being delivered again"):
        deliveries.source.count(SELECTION, HALVES[0])
