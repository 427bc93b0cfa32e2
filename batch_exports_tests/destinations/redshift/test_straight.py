"""Loads straight from the files that an export to S3 delivered."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pytest

from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.straight import Straight
from batch_exports.errors import Terminal, Transient
from batch_exports.interval import DataInterval
from batch_exports.interval_files import IntervalFiles
from batch_exports.local.redshift.internal_errors import scan_error
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.server import Emulator
from batch_exports.local.seaweedfs import Server
from batch_exports.models import EVENTS, PERSONS
from batch_exports.sources.source import Selection
from batch_exports.transform.filters import RowFilter
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.rows import HOUR, as_rows, make_rows
from batch_exports_tests.destinations.s3.adapter import S3Adapter
from batch_exports_tests.destinations.s3.conftest import connect
from batch_exports_tests.destinations.suite import assert_sound
from batch_exports_tests.sources.delivered.deliveries import HALVES, SELECTION, Deliveries

FEW = EVENTS.select(("_inserted_at", "event", "properties", "uuid"), "redshift")


@dataclass
class Lane:
    """Files delivered to a bucket, and a table that is loaded from them."""

    table: RedshiftAdapter
    files: Deliveries
    emulator: Emulator

    def load(
        self, selection: Selection = SELECTION, interval: DataInterval = HOUR, **settings: Any
    ) -> tuple[RedshiftDestination, str]:
        """Deliver to the table as a run does; and by which way."""
        destination = self.destination(selection, **settings)
        with self.files.source.read(selection, interval) as batches:
            delivery = destination.write(batches, interval, "run-1")
        assert delivery.way
        return destination, delivery.way

    def destination(self, selection: Selection, **settings: Any) -> RedshiftDestination:
        source = self.files.source
        straight = Straight(source.deliveries, lambda interval: source.read(selection, interval))
        return self.table.destination(selection, **{"straight": straight, **settings})

    def loaded(self) -> Sequence[str]:
        """The manifests of what was loaded."""
        copies = [text for text in self.emulator.statements if text.startswith("COPY")]
        return [text.partition("FROM '")[2].partition("'")[0] for text in copies]

    @property
    def manifests(self) -> Sequence[str]:
        """Those that the export has written."""
        return [files.manifest for files in self.files.source.deliveries(HOUR)]


def storage(type_: pa.DataType) -> pa.DataType:
    return type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_


@pytest.fixture
def lane(by_copy: RedshiftAdapter, redshift: Emulator, s3_server: Server) -> Callable[..., Lane]:
    def begin(**settings: Any) -> Lane:
        s3 = S3Adapter(connect(s3_server.endpoint, s3_server.admin), by_copy.bucket, "files/")
        return Lane(by_copy, Deliveries.to(s3, **settings), redshift)

    return begin


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_a_manifest_is_copied_as_it_stands(lane: Callable[..., Lane], compression: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html: COPY
    asks for url, and of Parquet for content_length; what else a manifest has, it passes over."""
    there = lane(compression=compression, codec_suffix=False, max_file_bytes=4000)
    rows = [there.files.deliver(0), there.files.deliver(1)]
    destination, way = there.load()
    assert way == "straight"
    assert there.loaded() == there.manifests
    assert there.table.read(destination, HOUR) == as_rows(pa.concat_tables(rows))
    assert_sound(destination, HOUR, 40)
    assert there.table.leftovers() == []


def test_other_columns_than_the_files(lane: Callable[..., Lane]) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html: a
    stage has as many columns as the files, in their order; those of the table are its own.

    What no table takes may stand in a column that is not loaded.
    """
    there = lane()
    texts = ["x" * 70_000, "nul \0", *["fine"] * 8]
    rows = make_rows(range(10), HALVES[0], columns={"elements_chain": texts})
    there.files.destination.write(rows.to_reader(), HALVES[0], "run-0")
    delivered = pa.concat_tables([rows, there.files.deliver(1)])
    destination, way = there.load(replace(SELECTION, columns=FEW))
    assert way == "straight"
    names = [column.name for column in FEW]
    assert there.table.read(destination, HOUR) == as_rows(delivered.select(names))


def test_rows_are_merged(lane: Callable[..., Lane]) -> None:
    """Of two deliveries in one load the newest row of each key counts."""
    there = lane()
    selection = Selection(PERSONS, PERSONS.select((), "redshift"), "created_at")
    files = replace(there.files.destination, projection=selection)
    there = replace(there, files=replace(there.files, destination=files))
    for half, version in ((0, 2), (1, 1)):
        row = dict.fromkeys(selection.schema.names) | {
            "team_id": 1,
            "distinct_id": "x",
            "person_id": "p",
            "properties": f'{{"of":{half}}}',
            "created_at": HALVES[half].start,
            "person_distinct_id_version": 1,
            "person_version": version,
        }
        columns = [pa.array([row[field.name]], storage(field.type)) for field in selection.schema]
        rows = pa.Table.from_arrays(columns, selection.schema.names).cast(selection.schema)
        files.write(rows.to_reader(), HALVES[half], f"run-{half}")
    _, way = there.load(selection, write_mode="merge")
    assert way == "straight"
    query = "SELECT person_version, JSON_SERIALIZE(properties) AS properties FROM {table}"
    assert there.table.execute(query) == [{"person_version": 2, "properties": '{"of":0}'}]


def test_json_as_text(lane: Callable[..., Lane]) -> None:
    there = lane()
    delivered = pa.concat_tables([there.files.deliver(0), there.files.deliver(1)])
    destination, way = there.load(semi_structured_type="VARCHAR(65535)")
    assert way == "straight"
    assert there.table.read(destination, HOUR) == as_rows(delivered)


def test_intervals_without_rows(lane: Callable[..., Lane]) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html: COPY
    of a manifest without files fails, and so is not tried."""
    there = lane()
    there.files.deliver(0, rows=0)
    there.files.deliver(1)
    destination, way = there.load()
    assert way == "straight"
    assert there.loaded() == there.manifests[1:]
    there.files.deliver(1, rows=0)
    destination, way = there.load()
    assert way == "straight"
    assert_sound(destination, HOUR, 0)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"file_format": "jsonlines"}, "the files are jsonlines"),
        ({"compression": "brotli"}, "COPY does not know brotli"),
        ({"compression": "gzip"}, "COPY would unpack files of that name; see parquet_codec_suffix"),
    ],
)
def test_files_that_copy_does_not_read(
    lane: Callable[..., Lane], settings: dict[str, str], reason: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html: what
    ends in .gz is unpacked before it is read."""
    there = lane(**settings)
    delivered = pa.concat_tables([there.files.deliver(0), there.files.deliver(1)])
    destination, way = there.load()
    assert way == f"staged: {reason}"
    assert not set(there.loaded()) & set(there.manifests)
    assert there.table.read(destination, HOUR) == as_rows(delivered)
    assert there.table.leftovers() == []


def test_rows_that_a_filter_leaves_out(lane: Callable[..., Lane]) -> None:
    there = lane()
    there.files.deliver(0)
    there.files.deliver(1)
    selection = replace(SELECTION, filters=RowFilter(include_events=("$pageview",)))
    destination, way = there.load(selection)
    assert way == "staged: 27 of the files' 40 rows are loaded"
    assert_sound(destination, HOUR, 27)


def test_rows_that_the_table_cannot_hold(lane: Callable[..., Lane]) -> None:
    """They are rejected as ever, and the other rows of the files land."""
    there = lane()
    names = ["x" * 201, *["fine"] * 9]
    rows = make_rows(range(10), HALVES[0], columns={"event": names})
    there.files.destination.write(rows.to_reader(), HALVES[0], "run-0")
    there.files.deliver(1)
    destination, way = there.load()
    assert way == "staged: the table cannot hold each value as it is in the files"
    delivery = destination.delivery(HOUR)
    assert (delivery.rows, delivery.rejected) == (29, 1)


def test_files_that_copy_refuses_unexpectedly(lane: Callable[..., Lane]) -> None:
    """Their rows are proven, and land all the same."""
    there = lane()
    there.files.deliver(0)
    there.files.deliver(1)
    there.emulator.inject(
        "^COPY.*files/",
        scan_error("File 's3://x' has an incompatible Parquet schema for column 'created_at'."),
    )
    destination, way = there.load()
    assert way == "staged: COPY refuses the files: incompatible Parquet schema"
    assert_sound(destination, HOUR, 40)


def test_manifests_of_earlier_versions_have_no_entries(lane: Callable[..., Lane]) -> None:
    there = lane()
    there.files.deliver(0)
    there.files.deliver(1)
    client, bucket = there.table.client, there.table.bucket
    key = there.manifests[0].removeprefix(f"s3://{bucket}/")
    manifest = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    del manifest["entries"]
    client.put_object(Bucket=bucket, Key=key, Body=json.dumps(manifest).encode())
    destination, way = there.load()
    assert way == "staged: a manifest is of an earlier version, without entries"
    assert_sound(destination, HOUR, 40)


def test_a_cluster_that_may_not_read_the_files(lane: Callable[..., Lane]) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html"""
    there = lane()
    there.files.deliver(0)
    there.files.deliver(1)
    there.emulator.inject(
        "^COPY.*files/",
        Refusal("XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied"),
    )
    with pytest.raises(Terminal) as raised:
        there.load()
    folder = there.manifests[0].rpartition("/")[0]
    assert f"arn:aws:s3:::{folder.removeprefix('s3://')}/*" in raised.value.remedy
    assert there.manifests[0] in raised.value.message


def test_files_that_are_replaced_while_they_are_loaded(lane: Callable[..., Lane]) -> None:
    """What was proven is not what was loaded: nothing of it is delivered."""
    there = lane()
    there.files.deliver(0)
    there.files.deliver(1)
    source, looks = there.files.source, list[DataInterval]()

    def files(interval: DataInterval) -> Sequence[IntervalFiles]:
        looks.append(interval)
        if len(looks) == 2:
            there.files.deliver(0, label="again")
        return source.deliveries(interval)

    straight = Straight(files, lambda interval: source.read(SELECTION, interval))
    with pytest.raises(Transient, match="delivered again while they were loaded"):
        there.load(straight=straight)
    destination, way = there.load()
    assert way == "straight"
    assert_sound(destination, HOUR, 40)


def test_loading_again_replaces_and_a_rehearsal_stays_out(lane: Callable[..., Lane]) -> None:
    there = lane()
    there.files.deliver(0)
    there.files.deliver(1)
    destination, _ = there.load()
    rows = there.files.deliver(0, 5, label="corrected")
    with there.files.source.read(SELECTION, HOUR) as batches:
        assert destination.rehearse(batches, HOUR).rows == 25
    _, way = there.load()
    assert way == "straight"
    found = there.table.read(destination, HALVES[0])
    assert found == as_rows(rows)
    assert_sound(destination, HOUR, 25)
