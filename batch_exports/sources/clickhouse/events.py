"""PostHog's events, as its exports take them.

An event may stand in the table several times, until ClickHouse has merged the rows: Kafka delivers
at least once. Those of one interval that have project, name, distinct ID and uuid in common are
one, the newest of them. FINAL would tell otherwise: it keeps the newest of the whole table, so
that an event that came again later would go from the interval where it was, and to find that out
reads all of the months that the interval touches.

What to read and learn of the tables: https://posthog.com/docs/how-posthog-works/clickhouse and
posthog/models/event/sql.py at https://github.com/PostHog/posthog.
"""

from collections.abc import Mapping, Sequence

from batch_exports.sources.clickhouse.pushdown import of_events, of_properties
from batch_exports.sources.clickhouse.statement import TEAM, Statement, Value, between, named, utc
from batch_exports.transform.filters import RowFilter

# Spelt as the table's index over it is, which is not used for another expression. Rows of before
# there was inserted_at have the time of Kafka alone.
_ARRIVED = "COALESCE(inserted_at, _timestamp)"
_MOMENTS = {"inserted_at": _ARRIVED, "timestamp": "timestamp", "created_at": "created_at"}
_IDENTITY = "sipHash128(event, distinct_id, uuid)"
_COLUMNS: Mapping[str, str] = {
    "uuid": "toString(e.uuid)",
    "event": "e.event",
    "distinct_id": "e.distinct_id",
    "timestamp": "e.timestamp",
    "properties": "nullIf(e.properties, '')",
    "person_id": "toString(if(o.is_there, o.person_id, e.person_id))",
    "person_properties": "nullIf(e.person_properties, '')",
    "elements_chain": "e.elements_chain",
    "created_at": "e.created_at",
    "inserted_at": utc("e.arrived"),
    "team_id": TEAM,
}
_STORED = (
    f"uuid, event, distinct_id, timestamp, properties, person_id, person_properties, "
    f"elements_chain, created_at, {_ARRIVED} AS arrived"
)
AVAILABLE = tuple(_COLUMNS)
# Events keep the person that they were recorded for until PostHog rewrites them: overrides say
# whose distinct ID it is since. An override is few rows of few bytes, and is merged before it is
# read: of several the newest counts, and it counts for nothing if that one is deleted.
_OVERRIDES = f"""
GLOBAL ANY LEFT JOIN (
    SELECT distinct_id, person_id, true AS is_there
    FROM person_distinct_id_overrides FINAL
    WHERE team_id = {TEAM} AND is_deleted = 0
) AS o ON e.distinct_id = o.distinct_id"""


def read(names: Sequence[str], membership: str, filters: RowFilter) -> Statement:
    """The events of an interval with those of the AVAILABLE columns.

    Rows that no other repeats go through one by one; only the others are held to find the newest.
    """
    members, values = _members(membership, filters)
    repeated = f"""(
        SELECT {_IDENTITY} FROM events
        WHERE {members} GROUP BY {_IDENTITY} HAVING count() > 1
    )"""
    properties = of_properties(filters.properties, "e")
    return Statement(
        f"""SELECT
    {named(_COLUMNS, names)}
FROM (
    SELECT {_STORED} FROM events
    WHERE {members} AND {_IDENTITY} GLOBAL NOT IN {repeated}
    UNION ALL
    SELECT * FROM (
        SELECT {_STORED} FROM events
        WHERE {members} AND {_IDENTITY} GLOBAL IN {repeated}
        ORDER BY _timestamp DESC, {_ARRIVED} DESC, _offset DESC
        LIMIT 1 BY event, distinct_id, uuid
    )
) AS e{_OVERRIDES if "person_id" in names else ""}
WHERE {properties.sql}""",
        values | properties.values,
    )


def count(membership: str, filters: RowFilter, segment: str) -> Statement:
    """How many events there are in each `segment`, an expression of the column `moment`.
    Without filters by properties."""
    members, values = _members(membership, filters)
    return Statement(
        f"""SELECT {segment} AS segment, uniqExact({_IDENTITY}) AS rows
FROM (
    SELECT event, distinct_id, uuid, {utc(_MOMENTS[membership])} AS moment FROM events
    WHERE {members}
)
GROUP BY segment""",
        values,
    )


def _members(membership: str, filters: RowFilter) -> tuple[str, dict[str, Value]]:
    named_so = of_events(filters, "event")
    condition = f"team_id = {TEAM} AND {between(_MOMENTS[membership])} AND {named_so.sql}"
    return condition, named_so.values
