"""The columns of the table that a warehouse has for a sync."""

from batch_exports.interval import DataInterval
from batch_exports.sources.found_columns import FoundColumn, FoundColumns
from batch_exports.sources.source import Selection
from batch_exports.sources.warehouse.catalog import columns
from batch_exports.sources.warehouse.warehouse_table import WarehouseTable


def offered(source: WarehouseTable, selection: Selection, interval: DataInterval) -> FoundColumns:
    """By the catalog; nothing is synced. Raises `Terminal` and `Transient`."""
    synced = source.synced
    with source.session("columns") as connection:
        there = columns(connection, synced.table, synced.dialect)
        connection.rollback()
    return FoundColumns(tuple(FoundColumn(column.name, column.type) for column in there))


def needed(source: WarehouseTable) -> frozenset[str] | None:
    """The columns that its mapping names; None where all that there are become traits."""
    mapping = source.synced.mapping
    if not mapping.traits:
        return None
    traits = (name for name, _ in mapping.traits)
    return frozenset((*mapping.key, *mapping.identifiers.values(), *traits))
