"""Merged IDs, each with the ID that it has in the end: a view on what Amplitude's merges say.

Works on PostgreSQL as well. Amplitude tells of one merge at a time
(https://amplitude.com/docs/data/destination-catalog/redshift); of several, the view makes one.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.delivery import LandedCycles
from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import Terminal

# Of an ID that was merged more than once the newest merge counts; one into itself undoes those
# before. So each ID leads to one other at the most, and the walk goes the other way: from IDs that
# were never merged to all that lead there. It meets no ID twice and no cycle, which leads nowhere,
# and so ends without the limit of depth that https://docs.aws.amazon.com/redshift/latest/dg/
# r_WITH_clause.html asks for. By that page a recursive query is UNION ALL of two parts, without
# ORDER BY, and has its columns named.
_VIEW = """
CREATE VIEW {view} AS
WITH RECURSIVE newest (amplitude_id, merged_amplitude_id) AS (
    SELECT amplitude_id, merged_amplitude_id
    FROM (
        SELECT amplitude_id, merged_amplitude_id, ROW_NUMBER() OVER (
            PARTITION BY amplitude_id
            ORDER BY merge_server_time DESC, merge_event_time DESC NULLS LAST,
                merged_amplitude_id DESC
        ) AS age
        FROM {table}
    ) AS merges
    WHERE age = 1 AND amplitude_id <> merged_amplitude_id
),
resolved (amplitude_id, resolved_amplitude_id, merges) AS (
    SELECT newest.amplitude_id, newest.merged_amplitude_id, 1
    FROM newest LEFT JOIN newest AS further ON further.amplitude_id = newest.merged_amplitude_id
    WHERE further.amplitude_id IS NULL
    UNION ALL
    SELECT newest.amplitude_id, resolved.resolved_amplitude_id, resolved.merges + 1
    FROM newest, resolved
    WHERE newest.merged_amplitude_id = resolved.amplitude_id
)
SELECT newest.amplitude_id, newest.merged_amplitude_id, resolved.resolved_amplitude_id,
    resolved.merges, resolved.amplitude_id IS NULL AS in_cycle
FROM newest LEFT JOIN resolved ON resolved.amplitude_id = newest.amplitude_id
"""
_CYCLIC = "SELECT amplitude_id, merged_amplitude_id FROM {} WHERE in_cycle ORDER BY 1 LIMIT 100000"
_KIND = """
SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def resolving_view(table: TableName, view: TableName) -> sql.Composed:
    """The statement that makes the view on a table of the model amplitude_merged_ids.

    It has a row for each ID that is merged: `amplitude_id`; `merged_amplitude_id`, into which its
    newest merge merges it; `resolved_amplitude_id`, which it has in the end, after so many
    `merges`. Where merges lead in a circle nobody can tell: these two are NULL, and `in_cycle` is
    true. The view depends on the table, which can be dropped by CASCADE alone.
    """
    return sql.SQL(_VIEW).format(view=view.sql, table=table.sql)


def make_view(connection: psycopg.Connection[Any], table: TableName, view: TableName) -> None:
    """Make the view unless it is there. Raises `Terminal` for another thing of its name."""
    found = connection.execute(_KIND, [view.schema, view.name]).fetchone()
    if found is None:
        connection.execute(resolving_view(table, view))
    elif found[0] != "v":
        raise Terminal(f"{view} is not a view.", remedy="Give resolved_view another name.")


def find_cycles(connection: psycopg.Connection[Any], view: TableName) -> LandedCycles:
    """The cycles in which merges lead."""
    cyclic = dict(connection.execute(sql.SQL(_CYCLIC).format(view.sql)).fetchall())
    return LandedCycles(len(cyclic), tuple(_cycles(cyclic)))


def _cycles(following: Mapping[int, int]) -> list[str]:
    """Each cycle once, from its least ID on. All IDs lead into one."""
    seen: set[int] = set()
    told: list[str] = []
    for start in following:
        walked: dict[int, None] = {}
        at = start
        while at in following and at not in seen and at not in walked:
            walked[at] = None
            at = following[at]
        if at in walked:
            ids = list(walked)
            cycle = ids[ids.index(at) :]
            first = cycle.index(min(cycle))
            cycle = [*cycle[first:], *cycle[: first + 1]]
            told.append(" → ".join(map(str, cycle)))
        seen |= walked.keys()
    return told
