"""What a ledger of deliveries tells of many intervals at once, the same in each database."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.delivery import Recorded
from batch_exports.destinations.postgres.table import TableName
from batch_exports.interval import DataInterval

_BETWEEN = """
SELECT interval_start, interval_end, "rows" + rejected, delivered_at FROM {}
WHERE table_name = %s AND export = %s AND interval_start >= %s AND interval_end <= %s
"""


def recorded_in(
    connection: psycopg.Connection[Any],
    ledger: TableName,
    table: TableName,
    export: str,
    intervals: Sequence[DataInterval],
) -> dict[DataInterval, Recorded]:
    """Those of the intervals that were delivered, by one query. There is at least one."""
    first = min(each.start for each in intervals)
    last = max(each.end for each in intervals)
    statement = sql.SQL(_BETWEEN).format(ledger.sql)
    rows = connection.execute(statement, [table.name, export, first, last])
    found = {
        DataInterval.of(start, end): Recorded(count, delivered_at.astimezone(UTC))
        for start, end, count, delivered_at in rows
    }
    return {each: found[each] for each in intervals if each in found}
