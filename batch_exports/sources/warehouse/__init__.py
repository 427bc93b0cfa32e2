"""A table of a warehouse as a source of identifies: what changed in it since the sync before."""

from batch_exports.sources.warehouse.warehouse_table import WarehouseTable

__all__ = ["WarehouseTable"]
