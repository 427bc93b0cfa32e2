"""PostHog's persons: a row for each distinct ID with its person, as both are now.

A row's time is that of the newer of its two parts, so that it lies in one interval: where a mapping
or a person has changed since, it went to a later one, and is exported there.

`person` and `person_distinct_id2` hold several versions of a row until ClickHouse has merged them.
FINAL gives what a merge would leave, the newest version and of equal ones the last inserted. It is
cheap here, as it is asked for no more than the keys that changed in the interval; and it merges as
it reads, so that no person's properties are held to find the newest.
posthog/models/person/sql.py at https://github.com/PostHog/posthog has the tables.
"""

from collections.abc import Mapping, Sequence

from batch_exports.sources.clickhouse.statement import TEAM, Statement, between, named, utc

_MOMENTS = {
    "inserted_at": utc("greatest(d._timestamp, p._timestamp)"),
    "created_at": utc("p.created_at"),
}
_COLUMNS: Mapping[str, str] = {
    "team_id": TEAM,
    "distinct_id": "d.distinct_id",
    "person_id": "toString(d.person_id)",
    "properties": "nullIf(p.properties, '')",
    "person_distinct_id_version": "d.version",
    "person_version": "p.version",
    "created_at": utc("p.created_at"),
    # Of the person, or of its distinct ID alone.
    "is_deleted": "toBool(p.is_deleted != 0 OR d.is_deleted != 0)",
    "inserted_at": _MOMENTS["inserted_at"],
}
AVAILABLE = tuple(_COLUMNS)


def read(names: Sequence[str], membership: str) -> Statement:
    """The persons of an interval with those of the AVAILABLE columns."""
    return Statement(
        f"""SELECT
    {named(_COLUMNS, names)}
FROM {_current(membership, "properties, created_at, is_deleted")}
WHERE {between(_MOMENTS[membership])}"""
    )


def count(membership: str, segment: str) -> Statement:
    """How many persons there are in each `segment`, an expression of the column `moment`."""
    return Statement(
        f"""SELECT {segment} AS segment, count() AS rows
FROM (
    SELECT {_MOMENTS[membership]} AS moment
    FROM {_current(membership, "created_at")}
    WHERE {between(_MOMENTS[membership])}
)
GROUP BY segment"""
    )


def _current(membership: str, columns: str) -> str:
    """The newest persons, with those columns, and the newest mappings to them, among all that may
    be in the interval. The mappings are held for the join; the persons stream."""
    mappings = f"""(
        SELECT distinct_id, person_id, version, is_deleted, _timestamp
        FROM person_distinct_id2 FINAL
        WHERE team_id = {TEAM} AND distinct_id GLOBAL IN ({_distinct_ids(membership)})
    )"""
    return f"""(
    SELECT id, version, _timestamp, {columns}
    FROM person FINAL
    WHERE team_id = {TEAM} AND id GLOBAL IN (SELECT person_id FROM {mappings})
) AS p
GLOBAL INNER JOIN {mappings} AS d ON p.id = d.person_id"""


def _distinct_ids(membership: str) -> str:
    """Those of which any version of the row, or of its person, lies in the interval. The newest
    versions decide, but whichever row is in the interval has a version there."""
    moment = "created_at" if membership == "created_at" else "_timestamp"
    of_persons = f"""SELECT distinct_id FROM person_distinct_id2
        WHERE team_id = {TEAM} AND person_id GLOBAL IN (
            SELECT id FROM person WHERE team_id = {TEAM} AND {between(moment)}
        )"""
    if membership == "created_at":
        return of_persons
    return f"""SELECT distinct_id FROM person_distinct_id2
        WHERE team_id = {TEAM} AND {between("_timestamp")}
        UNION ALL
        {of_persons}"""
