"""What an engineer who meets an export's asset in the UI wants to know of it."""

from collections.abc import Iterable

from batch_exports.export import Export


def describe(export: Export, *, place: str) -> str:
    """`place` is where rows go."""
    selection = export.selection
    told = [
        selection.model.description,
        f"From `{export.source}` to `{place}`: a partition for each interval "
        f"({export.rhythm}), with the rows whose `{selection.membership}` lies in it, delivered "
        f"{export.delay.total_seconds():.0f} s after its end.",
    ]
    filters = selection.filters
    if filters.include_events:
        told.append(f"Only {_listed(filters.include_events)}.")
    if filters.exclude_events:
        told.append(f"Without {_listed(filters.exclude_events)}.")
    if filters.properties:
        told.append(f"Filtered by {_listed(each.key for each in filters.properties)}.")
    return "\n\n".join(told)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
