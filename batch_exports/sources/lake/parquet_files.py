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
from batch_exports.sources.counting import Pieces
from batch_exports.sources.membership import member_mask, without_membership
from batch_exports.sources.projection import columns_to_read, conform
from batch_exports.sources.source import Selection

BATCH_BYTES = 8 * 2**20
_BUFFER_BYTES = 2**20
_ONE_BY_ONE = {"batch_readahead": 1, "fragment_readahead": 1}
_FORMAT = ds.ParquetFileFormat()
_UNITS = {"s": "second", "ms": "millisecond", "us": "microsecond", "ns": "nanosecond"}


def prepare(filesystem: fs.FileSystem, path: str) -> ds.ParquetFileFragment:
    """The file with its footer, which is all that most intervals need of it."""
    fragment = _FORMAT.make_fragment(path, filesystem)
    fragment.ensure_complete_metadata()
    return fragment


def read(
    fragment: ds.ParquetFileFragment, where: str, selection: Selection, interval: DataInterval
) -> Generator[pa.RecordBatch, None, None]:
    """The interval's rows, with the source's columns that the selection needs.

    Row groups whose statistics rule the interval or the events out are skipped; of the others the
    membership column and the event's name are read first, and the rest where a row matches.
    """
    names = columns_to_read(selection, fragment.physical_schema.names, where)
    groups = fragment.subset(_condition(fragment, selection, interval, where)).row_groups
    if not groups:
        return
    with pq.ParquetFile(
        fragment.filesystem.open_input_file(fragment.path),
        metadata=fragment.metadata,
        buffer_size=_BUFFER_BYTES,
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
                kept = _with_text(batch, selection, where)
                if matches < len(mask):
                    kept = kept.filter(mask.slice(start, batch.num_rows))
                start += batch.num_rows
                kept = selection.filters.matching(kept)
                if kept.num_rows:
                    yield kept


def count(
    fragment: ds.ParquetFileFragment, where: str, selection: Selection, interval: DataInterval
) -> int:
    """Count the interval's rows by Arrow's dataset scanner, reading the filtered columns alone."""
    columns_to_read(selection, fragment.physical_schema.names, where)
    condition = _condition(fragment, selection, interval, where)
    if _takes_filters(fragment, selection) and not selection.filters.properties:
        return int(fragment.scanner(filter=condition, **_ONE_BY_ONE).count_rows())
    return sum(batch.num_rows for batch in _counted(fragment, selection, condition, where))


def count_pieces(
    fragment: ds.ParquetFileFragment, where: str, selection: Selection, pieces: Pieces
) -> None:
    """Add the file's rows to the pieces of time that they lie in.

    Without filters, row groups that lie in one piece are counted by the footer alone.
    """
    columns_to_read(selection, fragment.physical_schema.names, where)
    condition = _condition(fragment, selection, pieces.span, where)
    groups = [group.id for group in fragment.subset(condition).row_groups]
    if not selection.filters.columns:
        groups = [
            group
            for group in groups
            if (bounds := _bounds(fragment, group, selection.membership)) is None
            or not pieces.add_within(bounds, fragment.metadata.row_group(group).num_rows)
        ]
    if groups:
        rest = fragment.subset(row_group_ids=groups)
        for batch in _counted(rest, selection, condition, where):
            pieces.add(batch.column(selection.membership))


def _counted(
    fragment: ds.ParquetFileFragment, selection: Selection, condition: ds.Expression, where: str
) -> Generator[pa.RecordBatch, None, None]:
    """The rows that meet condition and filters, with the columns alone that tell."""
    filtered = _takes_filters(fragment, selection)
    # Of no row group at all, Arrow would filter columns that nobody asked for.
    fragment = fragment.subset(condition)
    if not fragment.row_groups:
        return
    scanner = fragment.scanner(
        columns=_filtered_columns(selection),
        filter=condition if filtered else None,
        batch_size=8192,
        **_ONE_BY_ONE,
    )
    for batch in scanner.to_batches():
        kept = _with_text(batch, selection, where)
        yield selection.filters.matching(kept if filtered else kept.filter(condition))


def _filtered_columns(selection: Selection) -> list[str]:
    return list(dict.fromkeys([selection.membership, *selection.filters.columns]))


def _takes_filters(fragment: ds.ParquetFileFragment, selection: Selection) -> bool:
    names = _filtered_columns(selection)
    return not any(_is_view(fragment.physical_schema.field(name)) for name in names)


def _bounds(fragment: ds.ParquetFileFragment, group: int, membership: str) -> pa.Array | None:
    """The first and the last time in a row group, if its statistics tell."""
    metadata = fragment.metadata
    paths = [metadata.schema.column(index).path for index in range(len(metadata.schema))]
    statistics = metadata.row_group(group).column(paths.index(membership)).statistics
    if statistics is None or not statistics.has_min_max or statistics.physical_type != "INT64":
        return None
    type_ = fragment.physical_schema.field(membership).type
    return pa.array([statistics.min_raw, statistics.max_raw], pa.int64()).cast(type_)


def _condition(
    fragment: ds.ParquetFileFragment, selection: Selection, interval: DataInterval, where: str
) -> ds.Expression:
    schema = fragment.physical_schema
    field = schema.field(selection.membership)
    if not pa.types.is_timestamp(field.type):
        raise Terminal(
            f"{where}: the membership column {field.name!r} is {field.type}.",
            remedy="It places rows in intervals, and must be a timestamp.",
        )
    _refuse_nulls(fragment, selection, where)
    column = ds.field(field.name)
    condition = (column >= _instant(interval.start, field.type)) & (
        column < _instant(interval.end, field.type)
    )
    if selection.filters.by_event:
        event = _event(schema.field("event").type, where)
        if selection.filters.include_events:
            condition &= event.isin(list(selection.filters.include_events))
        if selection.filters.exclude_events:
            condition &= ~event.isin(list(selection.filters.exclude_events))
    return condition


def _event(type_: pa.DataType, where: str) -> ds.Expression:
    conform(pa.nulls(0, type_), pa.string(), "event", where)  # raises where it is no text
    event = ds.field("event")
    # Arrow looks the other types of text up as they are, and prunes row groups by them.
    castless = not (pa.types.is_string_view(type_) or pa.types.is_null(type_))
    return event if castless else event.cast(pa.string())


def _refuse_nulls(fragment: ds.ParquetFileFragment, selection: Selection, where: str) -> None:
    """Row groups that no interval asks for are never read; their statistics tell of such rows."""
    metadata = fragment.metadata
    paths = [metadata.schema.column(index).path for index in range(len(metadata.schema))]
    index = paths.index(selection.membership)
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(index).statistics
        if statistics and statistics.has_null_count and statistics.null_count:
            raise without_membership(f"{statistics.null_count} rows", selection.membership, where)


def _instant(moment: datetime, type_: pa.DataType) -> pa.Scalar:
    """A UTC time as the file's own type of timestamp, with a zone or without.

    Rounded up where the type is coarser: what is not before the bound, is not before that either.
    """
    rounded = pc.ceil_temporal(pa.scalar(moment, TIMESTAMP), unit=_UNITS[type_.unit])
    aware = rounded.cast(pa.timestamp(type_.unit, "UTC"))
    return aware.cast(pa.int64()).cast(type_)


def _mask(
    file: pq.ParquetFile, group: int, selection: Selection, interval: DataInterval, where: str
) -> pa.Array:
    """Which rows of a row group lie in the interval and have an event that is exported."""
    names = [selection.membership, *(["event"] if selection.filters.by_event else [])]
    table = file.read_row_group(group, columns=names)
    columns = [column.combine_chunks() for column in table.columns]
    batch = pa.RecordBatch.from_arrays(columns, names=names)
    return member_mask(batch, selection, interval, where, "rows")


def _with_text(batch: pa.RecordBatch, selection: Selection, where: str) -> pa.RecordBatch:
    """The batch with properties to filter by as plain text, and without text that Arrow cannot
    filter."""
    names = {item.column for item in selection.filters.properties}
    for index, field in enumerate(batch.schema):
        if field.name in names or _is_view(field):
            text = conform(batch.column(index), pa.string(), field.name, where)
            batch = batch.set_column(index, field.name, text)
    return batch


def _is_view(field: pa.Field) -> bool:
    """Whether a column is of the one type of text for which Arrow has no filters."""
    return bool(pa.types.is_string_view(field.type))


def _batch_rows(group: ds.RowGroupInfo) -> int:
    """Rows of about `BATCH_BYTES`, by the row group's own average."""
    average = max(1, group.total_byte_size // max(1, group.num_rows))
    return int(max(1, min(BATCH_BYTES // average, 65_536)))
