"""What the source of an export has for it, by each kind of source; and what of it is needed."""

from collections.abc import Callable, Mapping
from typing import Any

from batch_exports.interval import DataInterval
from batch_exports.sources.amplitude import Archives
from batch_exports.sources.clickhouse import offered as clickhouse
from batch_exports.sources.clickhouse.clickhouse import ClickHouse
from batch_exports.sources.delivered import DeliveredFiles
from batch_exports.sources.delivered import offered as delivered
from batch_exports.sources.found_columns import FoundColumns
from batch_exports.sources.lake import offered as lake
from batch_exports.sources.lake.lake import Lake
from batch_exports.sources.postgres import offered as postgres
from batch_exports.sources.postgres.postgres import Postgres
from batch_exports.sources.source import Selection, Source
from batch_exports.sources.warehouse import WarehouseTable
from batch_exports.sources.warehouse import offered as warehouse

_OFFERED: Mapping[type[Any], Callable[[Any, Selection, DataInterval], FoundColumns | None]] = {
    Archives: Archives.sample,
    ClickHouse: clickhouse.offered,
    DeliveredFiles: delivered.offered,
    Lake: lake.offered,
    Postgres: postgres.offered,
    WarehouseTable: warehouse.offered,
}


def source_columns(
    source: Source, selection: Selection, interval: DataInterval
) -> FoundColumns | None:
    """What there is, whether an export takes it or not; no rows are read, but the first of JSON
    lines. None of a source that tells nothing without a download, such as Amplitude's API, and of
    one without any file. Raises what the source raises."""
    offered = _OFFERED.get(type(source))
    return offered(source, selection, interval) if offered else None


def needed_columns(source: Source, selection: Selection) -> frozenset[str] | None:
    """The names at the source of what an export takes; None where that is all there is.

    A table that an export has delivered may have a column by the model's own name instead.
    """
    if isinstance(source, WarehouseTable):
        return warehouse.needed(source)
    names = {selection.membership, *selection.filters.columns}
    for column in selection.columns:
        names |= {column.name, column.source_name, *(column.member_of or ())[:1]}
    return frozenset(names)
