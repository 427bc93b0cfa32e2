"""The identifies model: what a table of a warehouse says of users, as changes of their traits."""

import pyarrow as pa

from batch_exports.models.model import JSON, TIMESTAMP, Column, Model

OPERATIONS = ("insert", "update", "delete")

_COLUMNS = (
    Column(
        "record_id",
        pa.string(),
        "The row's primary key in the warehouse, as text; of several columns as a JSON array.",
        nullable=False,
    ),
    Column(
        "operation",
        pa.string(),
        "What became of the row since the sync before: insert, update or delete.",
        nullable=False,
    ),
    Column("user_id", pa.string(), "Who the row is about, where the mapping names a user ID."),
    Column("anonymous_id", pa.string(), "Who the row is about, before they are known."),
    Column("email", pa.string(), "The user's e-mail address."),
    Column(
        "traits",
        JSON,
        "The row's selected columns under their JSON trait keys; those that identify are not among "
        "them. NULL is null.",
    ),
    Column(
        "root",
        JSON,
        "What constants with a dotted key put beside the traits, at the root of the event.",
    ),
    Column(
        "batch_id",
        pa.string(),
        "The sync that found the change: the same, however often it is delivered.",
        nullable=False,
    ),
    Column("sent_at", TIMESTAMP, "When the sync read the table.", nullable=False),
    Column(
        "data_interval_start",
        TIMESTAMP,
        "Start of the data interval whose sync found the change.",
        nullable=False,
    ),
)

IDENTIFIES = Model(
    name="identifies",
    description="Users and their traits as a table of the warehouse has them: a row for each "
    "record that was added, changed or removed since the sync before.",
    key=("record_id",),
    versions=("data_interval_start",),
    membership=("data_interval_start",),
    columns=_COLUMNS,
    default_columns={
        destination: tuple(column.name for column in _COLUMNS)
        for destination in ("s3", "postgres", "redshift", "http")
    },
)
