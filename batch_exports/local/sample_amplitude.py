"""The sample's click-stream as Amplitude would have taken it in, and the IDs that it would merge.

What is recorded is so through the sample events. Derived is what Amplitude adds: its own IDs, the
clocks of devices and of its servers. Every derived value depends on the events alone.
"""

from collections.abc import Sequence

import polars as pl

from batch_exports.local import chance

PROJECT = 187_520
ORGANISATION = 189_524

_FIRST_ID = 10**12  # beyond 32 bits, as the IDs of a service with many customers are
_NETWORK = pl.duration(milliseconds=300)
_NOT_ADJUSTED = pl.duration(seconds=60)
_TIMES = (
    "client_event_time",
    "client_upload_time",
    "event_time",
    "processed_time",
    "server_received_time",
    "server_upload_time",
)
JSON_MEMBERS = ("event_properties", "user_properties", "groups", "group_properties", "data")
# Of everybody's, since nothing of the kind was recorded.
_CONSTANTS = {
    "$schema": 13,
    "app": PROJECT,
    "platform": "Web",
    "language": "English",
    "library": "amplitude-ts/2.11.0",
    "followed_an_identify": False,
    "is_attribution_event": False,
    "groups": "{}",
    "group_properties": "{}",
}
_NEVER = (
    "adid", "amplitude_event_type", "city", "country", "region", "dma", "device_brand",
    "device_carrier", "device_manufacturer", "device_model", "idfa", "location_lat", "location_lng",
    "paying", "sample_rate", "start_version", "version_name",
)  # fmt: skip


def sample_archived_events(events: pl.DataFrame) -> pl.DataFrame:
    """A row for each page and action of the click-stream, in order of server_upload_time.

    `events` are the sample's. Columns are named as the members of lines in archives; times are
    text, as there, beside `hour`, that of server_upload_time.
    """
    steps = _with_clocks(_steps(events))
    told = steps.with_columns(
        pl.coalesce("page", "event").alias("event_type"),
        pl.when(pl.col("known")).then("distinct_id").alias("user_id"),
        pl.col("event_time").cum_count().over("device_id").cast(pl.Int64).alias("event_id"),
        pl.col("client_event_time").min().over("session").dt.epoch("ms").alias("session_id"),
        pl.col("uuid").alias("$insert_id"),
        pl.col("ip").alias("ip_address"),
        pl.col("properties").alias("event_properties"),
        pl.col("person_properties").alias("user_properties"),
        pl.col("server_upload_time").dt.truncate("1h").alias("hour"),
        *(pl.lit(value).alias(name) for name, value in _CONSTANTS.items()),
        *(pl.lit(None, pl.String).alias(name) for name in _NEVER),
    ).with_columns(
        pl.when(pl.col("event_id") == 1)
        .then(pl.lit('{"first_event":true}'))
        .otherwise(pl.lit("{}"))
        .alias("data"),
        *(pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S.%6f") for name in _TIMES),
    )
    return told.select(
        "hour", "uuid", "$insert_id", "event_type", "event_id", "amplitude_id", "user_id",
        "device_id", "session_id", *_TIMES, "ip_address", "os_name", "os_version", "device_family",
        "device_type", *_CONSTANTS, *_NEVER, "event_properties", "user_properties", "data",
    ).sort("hour", "server_upload_time", "uuid")  # fmt: skip


def sample_merges(events: pl.DataFrame) -> pl.DataFrame:
    """A row for each ID that was merged, columns as the members of lines in archives, beside
    `hour`, that of merge_server_time.

    Who logs in for the first time keeps the ID of the device. A device on which they log in later
    had an ID of its own until then, with events or without, which is merged into the first. Made
    up: that of a third device is merged into that of the second, so that there is a chain.
    """
    devices = _devices(events).filter(pl.col("login") > 1)
    return devices.select(
        pl.col("login_arrived_at").dt.truncate("1h").alias("hour"),
        pl.lit(PROJECT).alias("scope"),
        pl.col("login_at").dt.epoch("ms").alias("merge_time"),
        pl.col("login_arrived_at").dt.epoch("ms").alias("merge_server_time"),
        pl.col("device_amplitude_id").alias("amplitude_id"),
        pl.col("previous_amplitude_id").alias("merged_amplitude_id"),
    ).sort("merge_server_time", "amplitude_id")


def _steps(events: pl.DataFrame) -> pl.DataFrame:
    """Pages and actions with device and ID; Amplitude has no events of clicks and logins."""
    clicks = events.filter(~pl.col("event").is_in(["$autocapture", "$identify"]))
    members = _members(clicks, "page", "$session_id", "$device_id", "$os", "$browser",
                       "$browser_version", "$device_type")  # fmt: skip
    steps = clicks.with_columns(members).filter(pl.col("$session_id").is_not_null())
    return (
        steps.rename({"$session_id": "session", "$device_id": "device_id"})
        .with_columns(
            (pl.col("distinct_id") != pl.col("device_id")).alias("known"),
            pl.col("$browser").alias("os_name"),
            pl.col("$browser_version").alias("os_version"),
            pl.col("$os").alias("device_family"),
            pl.col("$device_type").alias("device_type"),
        )
        .join(_devices(events), on="device_id", maintain_order="left")
        .with_columns(
            pl.when("known")
            .then("user_amplitude_id")
            .otherwise("device_amplitude_id")
            .alias("amplitude_id")
        )
        .sort("timestamp", "uuid")
    )


def _devices(events: pl.DataFrame) -> pl.DataFrame:
    """A row for each device: its own ID, and of one with a login which of its user's it was, the
    ID of the user, and that of the user's device before."""
    identified = events.filter(pl.col("event") == "$identify").with_columns(
        _members(events.filter(pl.col("event") == "$identify"), "$device_id")
    )
    logins = identified.select(
        pl.col("$device_id").alias("device_id"),
        pl.col("distinct_id").alias("user"),
        pl.col("timestamp").alias("login_at"),
        pl.col("inserted_at").alias("login_arrived_at"),
    )
    every = events.with_columns(_members(events, "$device_id"))["$device_id"].drop_nulls()
    devices = every.unique().sort().alias("device_id").to_frame()
    own = _FIRST_ID + chance.below("amplitude id", devices.height, 9 * _FIRST_ID)
    skew = chance.fractions("clock", devices.height)
    return (
        devices.with_columns(own.alias("device_amplitude_id"), skew.alias("clock"))
        .join(logins, on="device_id", how="left", maintain_order="left")
        .sort("user", "login_arrived_at", "device_id")
        .with_columns(
            pl.col("device_amplitude_id").first().over("user").alias("user_amplitude_id"),
            pl.col("device_amplitude_id").shift(1).over("user").alias("previous_amplitude_id"),
            pl.when(pl.col("user").is_not_null())
            .then(pl.col("device_id").cum_count().over("user"))
            .alias("login"),
        )
    )


def _with_clocks(steps: pl.DataFrame) -> pl.DataFrame:
    """Adds the times. Derived: how far the device's clock is behind the servers'.

    Of the devices 4 % are one to ninety minutes behind, 2 % one to thirty ahead, the others within
    five seconds. The difference is negative where a clock is ahead: `event_time` is then left as
    the device has it, as the rule has it by its words.
    """
    luck = pl.col("clock")
    seconds = (
        pl.when(luck < 0.04)
        .then(60 + luck / 0.04 * 89 * 60)
        .when(luck > 0.98)
        .then(-60 - (luck - 0.98) / 0.02 * 29 * 60)
        .otherwise((luck - 0.5) * 10)
    )
    behind = pl.duration(milliseconds=(seconds * 1000).round().cast(pl.Int64))
    return (
        steps.with_columns(
            pl.col("inserted_at").alias("server_upload_time"),
            pl.col("created_at").alias("server_received_time"),
            (pl.col("inserted_at") + pl.duration(seconds=2)).alias("processed_time"),
            (pl.col("timestamp") - behind).alias("client_event_time"),
            (pl.col("created_at") - _NETWORK - behind).alias("client_upload_time"),
        )
        .with_columns(
            (pl.col("server_received_time") - pl.col("client_upload_time")).alias("difference")
        )
        .with_columns(
            pl.when(pl.col("difference") >= _NOT_ADJUSTED)
            .then(pl.col("client_event_time") + pl.col("difference"))
            .otherwise("client_event_time")
            .alias("event_time")
        )
    )


def _members(events: pl.DataFrame, *names: str) -> Sequence[pl.Series]:
    """Members of the events' properties, as text."""
    properties = events["properties"].str
    return [properties.json_path_match(f"$['{name}']").alias(name) for name in names]
