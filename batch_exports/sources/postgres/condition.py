"""Which rows of a relation are asked for, as conditions in SQL."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import sql

from batch_exports.interval import DataInterval
from batch_exports.sources.postgres.relation import Relation
from batch_exports.transform.filters import RowFilter


def within(
    relation: Relation, membership: str, intervals: Sequence[DataInterval]
) -> sql.Composable:
    """Rows of any of the intervals, asked of the bare column, so that its index serves."""
    column = relation.column(membership)
    ranges = (
        sql.SQL("({0} >= {1} AND {0} < {2})").format(
            column, moment(relation, membership, start), moment(relation, membership, end)
        )
        for start, end in _joined(intervals)
    )
    return sql.SQL("({})").format(sql.SQL(" OR ").join(ranges))


def moment(relation: Relation, membership: str, when: datetime) -> sql.Literal:
    """A time of UTC, in the type of the membership column."""
    zoned = relation.columns[membership].type == "timestamptz"
    return sql.Literal(when if zoned else when.replace(tzinfo=None))


def without_time(relation: Relation, membership: str) -> sql.Composable:
    """Rows that no interval has."""
    return sql.SQL("({0} IS NULL OR {0} IN ('infinity', '-infinity'))").format(
        relation.column(membership)
    )


def of_events(relation: Relation, filters: RowFilter) -> sql.Composable:
    """Rows whose event is exported, told byte by byte: a collation may take others for the same."""
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if filters.by_event:
        event = sql.SQL('{}::text COLLATE "C"').format(relation.column("event"))
        if filters.include_events:
            included = _names(filters.include_events)
            conditions.append(sql.SQL("{} = ANY ({})").format(event, included))
        if filters.exclude_events:
            excluded = _names(filters.exclude_events)
            conditions.append(sql.SQL("({0} IS NULL OR {0} <> ALL ({1}))").format(event, excluded))
    return sql.SQL(" AND ").join(conditions)


def _names(events: Sequence[str]) -> sql.Composable:
    # No text of PostgreSQL's has a NUL.
    names = [sql.Literal(event) for event in events if "\0" not in event]
    return sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(names))


def _joined(intervals: Sequence[DataInterval]) -> list[tuple[datetime, datetime]]:
    """As few ranges as have the same times."""
    ranges: list[tuple[datetime, datetime]] = []
    for interval in sorted(intervals):
        if ranges and interval.start <= ranges[-1][1]:
            start, end = ranges.pop()
            ranges.append((start, max(end, interval.end)))
        else:
            ranges.append((interval.start, interval.end))
    return ranges
