"""The sessions of the sample events, in every version that their growth brought forth.

What a version tells follows from the events that had arrived by then; only the speed of the first
page is made up.
"""

import polars as pl

from batch_exports.local import chance
from batch_exports.local.sample_versions import delivered, known_at_each_growth
from batch_exports.local.session_schema import SESSIONS

_READ = ["$session_id", "$current_url", "$referring_domain", "utm_source", "utm_medium"]
_BOUNCE_SECONDS = 10


def sample_sessions(events: pl.DataFrame) -> pl.DataFrame:
    """All versions, columns as in `SESSIONS`, ordered by inserted_at. `events`: the sample's.

    A session has a version for each quarter of an hour in which events of it arrived.
    """
    known = known_at_each_growth(_told_by_browsers(events), "session_id", "15m")
    versions = _described(_aggregated(known)).join(_speeds(known), on="session_id")
    nothing = [
        pl.lit(None, pl.String).alias(name)
        for name in SESSIONS.names
        if name not in versions.columns
    ]
    told = versions.with_columns(nothing).select(SESSIONS.names)
    return delivered(told, "session", "session_id", "end_timestamp")


def _told_by_browsers(events: pl.DataFrame) -> pl.DataFrame:
    """The events that belong to a session, with what it takes from their properties."""
    read = {name: pl.col("properties").str.json_path_match(f"$['{name}']") for name in _READ}
    told = events.with_columns(**read).rename({"$session_id": "session_id"})
    return told.filter(pl.col("session_id").is_not_null())


def _aggregated(known: pl.DataFrame) -> pl.DataFrame:
    """A row for each version, with what is counted and what was first or last."""

    def count(name: str) -> pl.Expr:
        return (pl.col("event") == name).sum().cast(pl.Int64)

    url = pl.col("$current_url")
    in_order = known.sort("timestamp", "uuid")
    return in_order.group_by("session_id", "cut").agg(
        pl.col("team_id").first(),
        pl.col("distinct_id").last(),
        pl.col("timestamp").min().alias("start_timestamp"),
        pl.col("timestamp").max().alias("end_timestamp"),
        pl.col("inserted_at").max(),
        url.unique(maintain_order=True).alias("urls"),
        url.first().alias("entry_current_url"),
        url.last().alias("end_current_url"),
        pl.col("utm_source").first().alias("entry_utm_source"),
        pl.col("utm_medium").first().alias("entry_utm_medium"),
        pl.col("$referring_domain").first().alias("entry_referring_domain"),
        count("$pageview").alias("pageview_count"),
        count("$autocapture").alias("autocapture_count"),
        count("$screen").alias("screen_count"),
    )


def _described(sessions: pl.DataFrame) -> pl.DataFrame:
    """Adds the columns that follow from others."""
    seconds = (pl.col("end_timestamp") - pl.col("start_timestamp")).dt.total_seconds()
    steps = pl.sum_horizontal("pageview_count", "autocapture_count", "screen_count")
    bounced = (steps < 2) & (seconds < _BOUNCE_SECONDS)
    return sessions.with_columns(
        pl.col("urls").list.len().cast(pl.Int64).alias("num_uniq_urls"),
        _path("entry_current_url").alias("entry_pathname"),
        _host("entry_current_url").alias("entry_hostname"),
        _path("end_current_url").alias("end_pathname"),
        _host("end_current_url").alias("end_hostname"),
        _channel().alias("channel_type"),
        seconds.alias("session_duration"),
        seconds.alias("duration"),
        pl.when(steps > 0).then(bounced).alias("is_bounce"),
        pl.min_horizontal(steps, 2).cast(pl.Int64).alias("page_screen_autocapture_count_up_to"),
        pl.col("end_current_url").alias("exit_current_url"),
        _path("end_current_url").alias("exit_pathname"),
    )


def _path(url: str) -> pl.Expr:
    return pl.col(url).str.extract("^https://[^/]+([^?]*)")


def _host(url: str) -> pl.Expr:
    return pl.col(url).str.extract("^https://([^/]+)")


def _channel() -> pl.Expr:
    """PostHog's name of the channel, for those that the recorded visitors came by."""
    medium, domain = pl.col("entry_utm_medium"), pl.col("entry_referring_domain")
    return (
        pl.when(medium == "cpc")
        .then(pl.lit("Paid Search"))
        .when(medium == "email")
        .then(pl.lit("Email"))
        .when(medium == "social")
        .then(pl.lit("Organic Social"))
        .when(domain == "www.google.com")
        .then(pl.lit("Organic Search"))
        .otherwise(pl.lit("Direct"))
    )


def _speeds(known: pl.DataFrame) -> pl.DataFrame:
    """Derived: how fast each session's first page was painted, in milliseconds."""
    sessions = known.select("session_id").unique().sort("session_id")
    speed = 800 + 3_200 * chance.fractions("paint", sessions.height)
    return sessions.with_columns(speed.round(1).alias("vitals_lcp"))
