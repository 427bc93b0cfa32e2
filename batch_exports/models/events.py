"""The events model: one row per event, with the columns of every destination's document."""

import pyarrow as pa

from batch_exports.models.model import JSON, TIMESTAMP, Column, Model

# https://posthog.com/docs/cdp/batch-exports/postgres and …/redshift, in their order and with their
# types.
_DOCUMENTED = (
    "uuid",
    "event",
    "properties",
    "elements",
    "set",
    "set_once",
    "distinct_id",
    "team_id",
    "ip",
    "site_url",
    "timestamp",
)
_TEXT_OF_200 = {"postgres": "VARCHAR(200)", "redshift": "VARCHAR(200)"}

EVENTS = Model(
    name="events",
    description="Events as they were captured: page views, clicks, and whatever an app sends.",
    key=("uuid",),
    membership=("inserted_at", "timestamp", "created_at"),
    order=("event", "timestamp"),
    has_events=True,
    columns=(
        Column(
            "uuid", pa.string(), "The unique ID of the event.", nullable=False, types=_TEXT_OF_200
        ),
        Column(
            "event",
            pa.string(),
            "The name of the event that was sent.",
            nullable=False,
            types=_TEXT_OF_200,
        ),
        Column(
            "distinct_id",
            pa.string(),
            "The `distinct_id` of the user who sent the event.",
            types=_TEXT_OF_200,
        ),
        Column("timestamp", TIMESTAMP, "The time at which the event happened."),
        Column("properties", JSON, "A JSON object with all the properties sent with the event."),
        Column("person_id", pa.string(), "The ID of the person who sent the event."),
        Column(
            "person_properties",
            JSON,
            "A JSON object with the person's properties at the time of the event.",
        ),
        Column("elements_chain", pa.string(), "The page elements that an autocaptured event hit."),
        Column("created_at", TIMESTAMP, "The time at which the event was created."),
        Column(
            "_inserted_at",
            TIMESTAMP,
            "The time at which the event arrived; it places the event in a data interval.",
            source="inserted_at",
        ),
        Column(
            "team_id",
            pa.int64(),
            "The ID of the project (team) of the event.",
            types={"postgres": "INTEGER", "redshift": "INTEGER"},
        ),
        Column(
            "set",
            JSON,
            "A JSON object with the person properties sent in the `$set` field.",
            member_of=("properties", "$set"),
        ),
        Column(
            "set_once",
            JSON,
            "A JSON object with the person properties sent in the `$set_once` field.",
            member_of=("properties", "$set_once"),
        ),
        Column(
            "ip",
            pa.string(),
            "The IP address that was sent with the event.",
            member_of=("properties", "$ip"),
            types=_TEXT_OF_200,
        ),
        Column(
            "elements",
            JSON,
            "Present for backwards compatibility; deprecated.",
            optional=True,
            types={"redshift": "VARCHAR(65535)"},
        ),
        Column(
            "site_url",
            pa.string(),
            "Present for backwards compatibility; deprecated.",
            optional=True,
            types=_TEXT_OF_200,
        ),
    ),
    default_columns={
        "s3": (
            "uuid",
            "event",
            "distinct_id",
            "timestamp",
            "properties",
            "person_id",
            "person_properties",
            "elements_chain",
            "created_at",
            "_inserted_at",
        ),
        "postgres": _DOCUMENTED,
        "redshift": _DOCUMENTED,
    },
)
