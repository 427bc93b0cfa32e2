"""Many intervals counted by one query: as segments of time between their bounds."""

from collections.abc import Sequence

from batch_exports.interval import DataInterval
from batch_exports.sources.clickhouse.statement import Value, bounds, micros

# The greatest of the bounds that is not after a moment.
SEGMENT = "roundDown(toUnixTimestamp64Micro(moment), {bounds:Array(Int64)})"


def apart(intervals: Sequence[DataInterval]) -> list[list[DataInterval]]:
    """The intervals, each once, in as few groups as it takes for none to overlap another of its
    group. A row has one segment, and may be in several intervals that overlap."""
    groups: list[list[DataInterval]] = []
    for interval in sorted(set(intervals)):
        group = next((some for some in groups if some[-1].end <= interval.start), None)
        if group is None:
            groups.append([interval])
        else:
            group.append(interval)
    return groups


def span(group: Sequence[DataInterval]) -> dict[str, Value]:
    """The values for a query of all of a group, `bounds` of its segments among them."""
    whole = DataInterval(group[0].start, group[-1].end)
    moments = {micros(moment) for one in group for moment in (one.start, one.end)}
    return {**bounds(whole), "bounds": sorted(moments)}
