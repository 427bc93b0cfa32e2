"""The columns of what another export has delivered."""

from batch_exports.interval import DataInterval
from batch_exports.sources.delivered.delivered import DeliveredFiles
from batch_exports.sources.found_columns import FoundColumn, FoundColumns
from batch_exports.sources.source import Selection


def offered(
    source: DeliveredFiles, selection: Selection, interval: DataInterval
) -> FoundColumns | None:
    """By the manifest of the last delivery within the interval. Raises `Transient` where one is not
    there yet."""
    *_, last = source.deliveries(interval)
    return FoundColumns(tuple(FoundColumn(name, type_) for name, type_ in last.columns.items()))
