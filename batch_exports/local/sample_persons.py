"""The persons of the sample events, in every version that their changes brought forth.

Who an event's distinct ID belongs to in the end is recorded. Derived is the way there, as PostHog
goes it: until its user logs in, a device has a person of its own; then it is given to the user's.
"""

from datetime import timedelta

import polars as pl

from batch_exports.local import chance
from batch_exports.local.person_schema import PERSONS
from batch_exports.local.sample_events import END
from batch_exports.local.sample_versions import delivered, known_at_each_growth

_TESTER = "tester@example.com"
# PostHog raises a person's version by so much when it is deleted, past all changes on their way.
_DELETION = 100


def sample_persons(events: pl.DataFrame) -> pl.DataFrame:
    """All versions, columns as in `PERSONS`, ordered by inserted_at. `events`: the sample's.

    A person has a version for each hour in which events of it arrived, told for every distinct ID
    that was the person's by then.
    """
    facts = _owned(events)
    mappings = facts.group_by("person_id", "distinct_id").agg(
        pl.col("team_id").first(),
        pl.col("person_distinct_id_version").first(),
        pl.col("inserted_at").min().alias("since"),
    )
    told = (
        _states(known_at_each_growth(facts, "person_id", "1h"))
        .join(mappings, on="person_id")
        .filter(pl.col("since") <= pl.col("inserted_at"))
        .with_columns(pl.lit(False).alias("is_deleted"))
    )
    versions = pl.concat([told, _deletion(told)]).select(PERSONS.names)
    return delivered(
        versions, "person", "distinct_id", "person_distinct_id_version", "person_version"
    )


def _owned(events: pl.DataFrame) -> pl.DataFrame:
    """Each event for the person who had its distinct ID when it arrived.

    Events of a device that was given away are there a second time: for the new person, from the
    moment on at which it got them.
    """
    logins = _logins(events)
    named = events.join(logins, on="distinct_id", how="left", maintain_order="left")
    before = named.filter(pl.col("inserted_at") < pl.col("given_at")).with_columns(
        pl.col("anonymous_id").alias("person_id"),
        pl.lit(0, pl.Int64).alias("person_distinct_id_version"),
    )
    after = named.with_columns(
        pl.max_horizontal("inserted_at", "given_at").alias("inserted_at"),
        pl.col("given_at").is_not_null().cast(pl.Int64).alias("person_distinct_id_version"),
    )
    return pl.concat([before, after])


def _logins(events: pl.DataFrame) -> pl.DataFrame:
    """A row for each device that a user logged in on. Derived: the person it had before."""
    identified = events.filter(pl.col("event") == "$identify")
    device = pl.col("properties").str.json_path_match("$['$anon_distinct_id']")
    logins = identified.group_by(device.alias("distinct_id")).agg(
        pl.col("inserted_at").min().alias("given_at")
    )
    logins = logins.sort("distinct_id")
    return logins.with_columns(chance.uuids("anonymous", logins.height).alias("anonymous_id"))


def _states(known: pl.DataFrame) -> pl.DataFrame:
    """A row for each version of a person: what its events tell of it."""
    bought = pl.col("event") == "purchase"
    revenue = pl.col("properties").str.json_path_match("$.revenue").cast(pl.Float64)
    told = pl.col("person_properties")
    # What is known of a user is not forgotten on a device that does not know the user.
    named = told.filter(told.str.contains('"email":', literal=True)).last()
    states = (
        known.with_columns(pl.when(bought).then(revenue).alias("revenue"))
        .sort("timestamp", "uuid")
        .group_by("person_id", "version")
        .agg(
            pl.coalesce(named, told.last()).alias("told"),
            pl.len().cast(pl.Int64).alias("events"),
            bought.sum().cast(pl.Int64).alias("purchases"),
            pl.col("revenue").sum().round(2).alias("spent"),
            pl.col("timestamp").max().dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("last_seen_at"),
            pl.col("timestamp").min().alias("created_at"),
            pl.col("inserted_at").max(),
        )
    )
    counted = pl.struct("events", "purchases", "spent", "last_seen_at").struct.json_encode()
    return states.select(
        "person_id",
        pl.col("version").alias("person_version"),
        pl.concat_str(
            counted.str.strip_suffix("}"), pl.lit(","), pl.col("told").str.slice(1)
        ).alias("properties"),
        "created_at",
        "inserted_at",
    )


def _deletion(told: pl.DataFrame) -> pl.DataFrame:
    """Made up: the person who sent what breaks exporters is deleted an hour before END."""
    last = told.filter(pl.col("distinct_id") == _TESTER).sort("person_version").tail(1)
    return last.with_columns(
        pl.lit("{}").alias("properties"),
        pl.col("person_version") + _DELETION,
        pl.lit(True).alias("is_deleted"),
        pl.lit(END - timedelta(hours=1)).dt.cast_time_unit("us").alias("inserted_at"),
    )
