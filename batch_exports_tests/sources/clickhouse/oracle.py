"""What PostHog's rows are, told by other means than queries of ClickHouse: its raw rows, unmerged,
as polars sees them."""

from datetime import datetime

import polars as pl

from batch_exports.interval import DataInterval
from batch_exports.local.clickhouse.server import Server
from batch_exports.models import EVENTS
from batch_exports.sources.clickhouse import ClickHouse
from batch_exports.sources.clickhouse.statement import Statement
from batch_exports_tests.sources.clickhouse.adapter import TEAM_ID, address
from batch_exports_tests.sources.events import HOUR

_EVENTS = """
SELECT toString(uuid) AS uuid, event, distinct_id, properties, toString(person_id) AS person_id,
    toDateTime64(COALESCE(inserted_at, _timestamp), 6, 'UTC') AS arrived,
    toUnixTimestamp(_timestamp) AS version
FROM posthog.events WHERE team_id = {team_id:Int64}
"""
_OVERRIDES = """
SELECT distinct_id, toString(person_id) AS person_id, is_deleted, version
FROM posthog.person_distinct_id_overrides
"""
_MAPPINGS = """
SELECT distinct_id, toString(person_id) AS person_id, is_deleted AS unmapped,
    version AS person_distinct_id_version, toDateTime64(_timestamp, 6, 'UTC') AS mapped_at
FROM posthog.person_distinct_id2
"""
_PERSONS = """
SELECT toString(id) AS person_id, properties, is_deleted, toInt64(version) AS person_version,
    toDateTime64(_timestamp, 6, 'UTC') AS changed_at
FROM posthog.person
"""


def posthog(server: Server, **given: object) -> ClickHouse:
    return ClickHouse(address(server, "posthog"), "posthog", TEAM_ID, **given)  # type: ignore[arg-type]


def raw(server: Server, query: str) -> pl.DataFrame:
    frame = pl.from_arrow(posthog(server).ask(Statement(query), EVENTS, HOUR))
    assert isinstance(frame, pl.DataFrame)
    return frame


def events(server: Server, interval: DataInterval) -> pl.DataFrame:
    """Of several in the interval, the newest, with the person whose distinct ID it is now."""
    found = raw(server, _EVENTS).filter(_within("arrived", interval))
    newest = found.sort("version", "arrived", descending=True).unique(
        ["event", "distinct_id", "uuid"], keep="first", maintain_order=True
    )
    overrides = (
        raw(server, _OVERRIDES)
        .sort("version", descending=True)
        .unique("distinct_id", keep="first", maintain_order=True)
        .filter(pl.col("is_deleted") == 0)
        .select("distinct_id", pl.col("person_id").alias("now"))
    )
    joined = newest.join(overrides, on="distinct_id", how="left")
    return joined.select(
        "uuid",
        "event",
        "properties",
        pl.coalesce("now", "person_id").alias("person_id"),
        pl.col("arrived").alias("_inserted_at"),
    ).sort("uuid")


def persons(server: Server, interval: DataInterval) -> pl.DataFrame:
    """The newest mapping of each distinct ID, with the newest version of its person."""
    mappings = (
        raw(server, _MAPPINGS)
        .sort("person_distinct_id_version", descending=True)
        .unique("distinct_id", keep="first", maintain_order=True)
    )
    newest = (
        raw(server, _PERSONS)
        .sort("person_version", descending=True)
        .unique("person_id", keep="first", maintain_order=True)
    )
    joined = mappings.join(newest, on="person_id").with_columns(
        pl.max_horizontal("mapped_at", "changed_at").alias("_inserted_at"),
        ((pl.col("is_deleted") != 0) | (pl.col("unmapped") != 0)).alias("is_deleted"),
    )
    return (
        joined.filter(_within("_inserted_at", interval))
        .select(
            "distinct_id",
            "person_id",
            "properties",
            "person_distinct_id_version",
            "person_version",
            "is_deleted",
            "_inserted_at",
        )
        .sort("distinct_id")
    )


def _within(column: str, interval: DataInterval) -> pl.Expr:
    start: datetime = interval.start
    return (pl.col(column) >= start) & (pl.col(column) < interval.end)
