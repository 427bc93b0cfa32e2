"""The persons model: one row per distinct ID of a person, with the person's latest properties."""

import pyarrow as pa

from batch_exports.models.model import JSON, TIMESTAMP, Column, Model

_INTEGER = {"postgres": "INTEGER", "redshift": "INTEGER"}
_TEXT_OF_200 = {"redshift": "VARCHAR(200)"}
# https://posthog.com/docs/cdp/batch-exports/postgres and …/redshift, in their order and with their
# types.
_DOCUMENTED = (
    "team_id",
    "distinct_id",
    "person_id",
    "properties",
    "person_distinct_id_version",
    "person_version",
    "created_at",
)

PERSONS = Model(
    name="persons",
    description="Persons with their latest properties: a row for each distinct ID of a person, "
    "again whenever the person or the mapping of the distinct ID changed.",
    key=("team_id", "distinct_id"),
    versions=("person_distinct_id_version", "person_version"),
    membership=("inserted_at", "created_at"),
    columns=(
        Column(
            "team_id",
            pa.int64(),
            "The ID of the project (team) of the person.",
            nullable=False,
            types=_INTEGER,
        ),
        Column(
            "distinct_id",
            pa.string(),
            "A `distinct_id` associated with the person.",
            nullable=False,
            types=_TEXT_OF_200,
        ),
        Column(
            "person_id",
            pa.string(),
            "The ID of the person associated with this `team_id` and `distinct_id`.",
            types=_TEXT_OF_200,
        ),
        Column("properties", JSON, "A JSON object with all the latest properties of the person."),
        Column(
            "person_distinct_id_version",
            pa.int64(),
            "The version of the mapping of the `distinct_id` to the person; it grows when the "
            "`distinct_id` is given to another person.",
            nullable=False,
            types=_INTEGER,
        ),
        Column(
            "person_version",
            pa.int64(),
            "The version of the person's properties; it grows when they change.",
            nullable=False,
            types=_INTEGER,
        ),
        Column("created_at", TIMESTAMP, "The time at which the person was created."),
        Column(
            "is_deleted",
            pa.bool_(),
            "Whether the person was deleted. Sources may lack it: PostHog added it in 2025.",
            optional=True,
        ),
        Column(
            "_inserted_at",
            TIMESTAMP,
            "The time at which this version arrived; it places the row in a data interval.",
            source="inserted_at",
        ),
    ),
    default_columns={
        "s3": (*_DOCUMENTED, "is_deleted", "_inserted_at"),
        "postgres": _DOCUMENTED,
        "redshift": _DOCUMENTED,
    },
)
