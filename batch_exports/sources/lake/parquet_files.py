"""One Parquet file of a lake, read no further than its statistics ask for."""

from collections.abc import Generator
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import TIMESTAMP
from batch_exports.sources.projection import columns_to_read, conform
from batch_exports.sources.source import Selection

BATCH_BYTES = 16 * 2**20
_BUFFER_BYTES = 2**20
_FORMAT = ds.ParquetFileFormat()


def read(
    filesystem: fs.FileSystem,
    path: str,
    where: str,
    selection: Selection,
    interval: DataInterval,
) -> Generator[pa.RecordBatch, None, None]:
    """The interval's rows, with the source's columns that the selection needs.

    Row groups whose statistics rule the interval or the events out are skipped; of the others the
    membership column and the event's name are read first, and the rest where a row matches.
    """
    fragment = _FORMAT.make_fragment(path, filesystem)
    names = columns_to_read(selection, fragment.physical_schema.names, where)
    groups = fragment.subset(_condition(fragment, selection, interval, where)).row_groups
    if not groups:
        return
    with pq.ParquetFile(
        filesystem.open_input_file(path), metadata=fragment.metadata, buffer_size=_BUFFER_BYTES
    ) as file:
        for group in groups:
            mask = _mask(file, group.id, selection, interval, where)
            matches = pc.sum(mask).as_py() or 0
            if matches == 0:
                continue
            start = 0
            for batch in file.iter_batches(
                _batch_rows(group), row_groups=[group.id], columns=names
            ):
                kept = batch
                if matches < len(mask):
                    kept = batch.filter(mask.slice(start, batch.num_rows))
                start += batch.num_rows
                kept = selection.filters.matching(kept)
                if kept.num_rows:
                    yield kept


def count(
    filesystem: fs.FileSystem,
    path: str,
    where: str,
    selection: Selection,
    interval: DataInterval,
) -> int:
    """Count the interval's rows by Arrow's dataset scanner, reading the filtered columns alone."""
    fragment = _FORMAT.make_fragment(path, filesystem)
    columns_to_read(selection, fragment.physical_schema.names, where)
    condition = _condition(fragment, selection, interval, where)
    options = {"filter": condition, "batch_readahead": 1, "fragment_readahead": 1}
    if not selection.filters.properties:
        return int(fragment.scanner(**options).count_rows())
    columns = [item.column for item in selection.filters.properties]
    scanner = fragment.scanner(columns=list(dict.fromkeys(columns)), batch_size=8192, **options)
    return sum(selection.filters.matching(batch).num_rows for batch in scanner.to_batches())


def _condition(
    fragment: ds.ParquetFileFragment, selection: Selection, interval: DataInterval, where: str
) -> ds.Expression:
    field = fragment.physical_schema.field(selection.membership)
    if not pa.types.is_timestamp(field.type):
        raise Terminal(
            f"{where}: the membership column {field.name!r} is {field.type}.",
            remedy="It places rows in intervals, and must be a timestamp.",
        )
    column = ds.field(field.name)
    condition = (column >= _instant(interval.start, field.type)) & (
        column < _instant(interval.end, field.type)
    )
    if selection.filters.include_events:
        condition &= ds.field("event").isin(list(selection.filters.include_events))
    if selection.filters.exclude_events:
        excluded = ds.field("event").isin(list(selection.filters.exclude_events))
        condition &= ~excluded
    return condition


def _instant(moment: datetime, type_: pa.DataType) -> pa.Scalar:
    """A UTC time as the file's own type of timestamp, with a zone or without."""
    aware = pa.scalar(moment, TIMESTAMP).cast(pa.timestamp(type_.unit, "UTC"))
    return aware.cast(pa.int64()).cast(type_)


def _mask(
    file: pq.ParquetFile, group: int, selection: Selection, interval: DataInterval, where: str
) -> pa.Array:
    """Which rows of a row group lie in the interval and have an event that is exported."""
    names = [selection.membership, *(["event"] if selection.filters.by_event else [])]
    table = file.read_row_group(group, columns=names).combine_chunks()
    moments = table.column(selection.membership).combine_chunks()
    if moments.null_count:
        raise Terminal(
            f"{where}: {moments.null_count} rows have no {selection.membership}, and belong to no "
            "interval.",
            remedy="Give them one, or choose another membership column for the export.",
        )
    moments = conform(moments, TIMESTAMP, selection.membership, where)
    mask = pc.and_(
        pc.greater_equal(moments, pa.scalar(interval.start, TIMESTAMP)),
        pc.less(moments, pa.scalar(interval.end, TIMESTAMP)),
    )
    if selection.filters.by_event:
        events = conform(table.column("event").combine_chunks(), pa.string(), "event", where)
        mask = pc.and_(mask, selection.filters.event_mask(events))
    return mask


def _batch_rows(group: ds.RowGroupInfo) -> int:
    """Rows of about `BATCH_BYTES`, by the row group's own average."""
    average = max(1, group.total_byte_size // max(1, group.num_rows))
    return int(max(1, min(BATCH_BYTES // average, 65_536)))
