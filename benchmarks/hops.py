"""The hops that are measured: where rows come from, where they go, and what proves it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contents import tables
from benchmarks.contents.tables import Content
from benchmarks.loading import load_clickhouse_source, load_postgres_source
from benchmarks.servers import Servers


@dataclass(frozen=True)
class Hop:
    """`content` is what a table has to hold; None where files are delivered. `prepare` lays what
    the hop reads, once. More than `most_rows` take longer than they teach."""

    title: str
    about: str
    needs: frozenset[str]
    content: Content | None = None
    prepare: Callable[[Servers, Path], None] | None = None
    most_rows: int | None = None


HOPS = {
    "s3-parquet": Hop(
        "Lake to S3, Parquet with zstd",
        "Events, the ten columns of files.",
        frozenset({"s3"}),
    ),
    "s3-jsonlines": Hop(
        "Lake to S3, JSON lines with gzip",
        "The same, JSON columns as JSON.",
        frozenset({"s3"}),
    ),
    "postgres": Hop(
        "Lake to PostgreSQL, first load",
        "Events, the documented columns, three of them JSONB that hold something.",
        frozenset({"postgres"}),
        tables.EVENTS,
    ),
    "postgres-rerun": Hop(
        "Lake to PostgreSQL, the same interval again",
        "All events of the table are replaced by themselves.",
        frozenset({"postgres"}),
        tables.EVENTS,
    ),
    "persons": Hop(
        "Lake to PostgreSQL, persons merged",
        "Half as many persons as there are rows, into as many, half of which they know.",
        frozenset({"postgres"}),
        tables.PERSONS,
    ),
    "redshift-copy": Hop(
        "Lake to Redshift, by COPY",
        "The emulator of Redshift. Its own work, COPY, is no measure of a cluster's.",
        frozenset({"s3", "postgres", "redshift"}),
        tables.EVENTS,
        most_rows=200_000,
    ),
    "redshift-insert": Hop(
        "Lake to Redshift, by INSERT",
        "The same, through the connection.",
        frozenset({"s3", "postgres", "redshift"}),
        tables.EVENTS,
        most_rows=50_000,
    ),
    "postgres-to-s3": Hop(
        "PostgreSQL to S3, Parquet",
        "A table of the day's events, indexed by arrival.",
        frozenset({"s3", "postgres"}),
        prepare=load_postgres_source,
    ),
    "clickhouse-to-s3": Hop(
        "ClickHouse to S3, Parquet",
        "PostHog's table of events in chDB, ClickHouse's own engine, behind a front in Python.",
        frozenset({"s3", "clickhouse"}),
        prepare=load_clickhouse_source,
    ),
}
