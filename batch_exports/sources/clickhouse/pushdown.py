"""Filters as conditions in ClickHouse's SQL.

Event names are compared there byte by byte, as here. Property filters are not told to ClickHouse:
its functions of JSON read numbers, repeated members and text that is not quite JSON otherwise than
`transform/filters.py` does. What it is told is a condition that every match meets: text can be a
member's key, or its value, only where it stands in the document as it is, or where a backslash
begins an escape. The filters themselves are then applied to what remains.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from batch_exports.sources.clickhouse.statement import Value
from batch_exports.transform.filters import PropertyFilter, RowFilter


@dataclass(frozen=True)
class Condition:
    """SQL that is true for all wanted rows, and the values that it names."""

    sql: str
    values: dict[str, Value]


def of_events(filters: RowFilter, event: str) -> Condition:
    """By the name of the event, in the column `event`. Exact."""
    parts, values = ["true"], dict[str, Value]()
    if filters.include_events:
        parts.append(f"{event} IN {{include_events:Array(String)}}")
        values["include_events"] = list(filters.include_events)
    if filters.exclude_events:
        parts.append(f"{event} NOT IN {{exclude_events:Array(String)}}")
        values["exclude_events"] = list(filters.exclude_events)
    return Condition(" AND ".join(parts), values)


def of_properties(filters: Sequence[PropertyFilter], table: str) -> Condition:
    """By properties: true for more rows than match, never for fewer."""
    parts, values = ["true"], dict[str, Value]()
    for number, item in enumerate(filters):
        if item.operator == "is_not_set":
            continue
        column = f"{table}.{item.column}"
        values[f"key_{number}"] = [item.key]
        parts.append(_may_hold(column, f"key_{number}"))
        if texts := _literal_texts(item):
            values[f"text_{number}"] = texts
            parts.append(_may_hold(column, f"text_{number}"))
    return Condition(" AND ".join(parts), values)


def _may_hold(column: str, name: str) -> str:
    # A loop over a few: multiSearchAny takes no more than 255, and no empty one.
    found = f"arrayExists(text -> position({column}, text) > 0, {{{name}:Array(String)}})"
    return f"({found} OR position({column}, '\\\\') > 0)"


def _literal_texts(item: PropertyFilter) -> list[str]:
    """The texts of which one stands in every match; none where it may be spelt in other ways."""
    if item.operator != "exact":
        return []
    values = item.value if isinstance(item.value, Sequence) else [item.value]
    values = [item.value] if isinstance(item.value, str) else values
    if not all(isinstance(value, str | bool) for value in values):
        return []
    return [
        ("true" if value else "false") if isinstance(value, bool) else str(value)
        for value in values
    ]
