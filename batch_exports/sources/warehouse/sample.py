"""The first rows of a table as they are, and as the events that a sync would make of them."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.interval import DataInterval
from batch_exports.models import IDENTIFIES
from batch_exports.sources.source import Selection
from batch_exports.sources.warehouse.catalog import columns
from batch_exports.sources.warehouse.events import Events
from batch_exports.sources.warehouse.kinds import TableColumn
from batch_exports.sources.warehouse.mapping import MappedTable
from batch_exports.sources.warehouse.reading import answers
from batch_exports.sources.warehouse.state import REASON, Sync
from batch_exports.sources.warehouse.sync import batch_id
from batch_exports.sources.warehouse.warehouse_table import WarehouseTable

_ALL = Selection(IDENTIFIES, IDENTIFIES.columns, "data_interval_start")


@dataclass(frozen=True)
class Sample:
    """`invalid` are the reasons of rows that would be left out; the others are `events`, with the
    columns of the model identifies. Rows that share a key are among these."""

    columns: Sequence[TableColumn]
    mapped: MappedTable
    events: pa.RecordBatch
    invalid: Sequence[str]


def sample(source: WarehouseTable, rows: int) -> Sample:
    """Reads, and changes nothing. Raises as the source does."""
    synced = source.synced
    with source.session("sample") as connection:
        there = columns(connection, synced.table, synced.dialect)
        mapped = synced.mapping.fit(there, synced.table)
        events = Events(mapped, synced.dialect, _ALL)
        schema = events.answers.append(pa.field(REASON, pa.string()))
        query = events.sample(synced.table, rows)
        where = f"{source.address} {synced.table}"
        with closing(answers(connection, query, schema, synced.dialect, where)) as batches:
            read = pa.Table.from_batches(batches, schema).combine_chunks()
        connection.rollback()
    invalid = read.column(REASON)
    valid = read.filter(pc.is_null(invalid)).drop_columns([REASON])
    now = datetime.now(UTC)
    interval = DataInterval.of(now, now.replace(year=now.year + 1))
    made = Sync(0, interval, batch_id(synced.source, interval), "full", "")
    batch = valid.combine_chunks().to_batches()
    kept = batch[0] if batch else pa.RecordBatch.from_pylist([], schema=valid.schema)
    return Sample(there, mapped, events.of(kept, made), invalid.drop_null().to_pylist())
