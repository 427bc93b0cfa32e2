"""The columns at both ends of an export, looked up now, and how they differ from others."""

from dataclasses import dataclass

from batch_exports.destinations.delivery import LandedColumns
from batch_exports.drift.diff import Difference, differences
from batch_exports.drift.source_columns import needed_columns, source_columns
from batch_exports.export import Export
from batch_exports.interval import DataInterval
from batch_exports.sources.found_columns import FoundColumn, FoundColumns
from batch_exports.sources.source import Source


@dataclass(frozen=True)
class BothEnds:
    """`source` is None where it does not tell its columns."""

    source: FoundColumns | None
    destination: FoundColumns

    def with_known(self, before: "BothEnds | None") -> "BothEnds":
        """These, with what was known before where they do not tell it."""
        if before is None:
            return self
        source = before.source if self.source is None else self.source.with_known(before.source)
        return BothEnds(source, self.destination)


def look_at_both_ends(
    export: Export, source: Source, landed: LandedColumns, interval: DataInterval
) -> BothEnds:
    """What the source has now, and what landed of the interval. Raises what the source raises."""
    found = (
        FoundColumn(name, type_, name not in landed.required)
        for name, type_ in landed.types.items()
    )
    return BothEnds(source_columns(source, export.selection, interval), FoundColumns(tuple(found)))


def drift(export: Export, source: Source, before: BothEnds, now: BothEnds) -> list[Difference]:
    """What differs, first at the source. Of an end that was not known, or is not now, nothing."""
    found = list[Difference]()
    if before.source and now.source:
        needed = needed_columns(source, export.selection)
        found += differences("source", before.source, now.source, needed)
    exported = {column.name for column in export.selection.columns}
    return found + differences("destination", before.destination, now.destination, exported)
