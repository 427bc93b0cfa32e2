"""Amplitude's merges of IDs, with the columns of the table that its export to Redshift keeps.

https://amplitude.com/docs/data/destination-catalog/redshift describes the table.
"""

import pyarrow as pa

from batch_exports.models.model import TIMESTAMP, Column, Model

_ID, _TIME = {"redshift": "BIGINT"}, {"redshift": "TIMESTAMP"}
_COLUMNS = (
    Column(
        "amplitude_id",
        pa.int64(),
        "The Amplitude ID that is merged into a user's original one.",
        nullable=False,
        types=_ID,
    ),
    Column(
        "merge_event_time",
        TIMESTAMP,
        "The time of the event by which the new ID was found to be the user's, in UTC.",
        source="merge_time",
        types=_TIME,
    ),
    Column(
        "merge_server_time",
        TIMESTAMP,
        "The time of that event at Amplitude's servers, in UTC; it places the row in a data "
        "interval.",
        nullable=False,
        types=_TIME,
    ),
    Column(
        "merged_amplitude_id",
        pa.int64(),
        "The original Amplitude ID, given when the user was first seen, which stays.",
        nullable=False,
        types=_ID,
    ),
)
_DOCUMENTED = tuple(column.name for column in _COLUMNS)

AMPLITUDE_MERGED_IDS = Model(
    name="amplitude_merged_ids",
    description="Amplitude IDs that turned out to be the same user's: a row for each merge. The "
    "events keep the ID they came with.",
    # A merge is something that happened, not a state. An ID that was merged may be merged again,
    # into another one or, once that was undone, into the same: only the time tells these apart.
    key=("amplitude_id", "merged_amplitude_id", "merge_server_time"),
    membership=("merge_server_time",),
    order=("merge_server_time",),
    columns=_COLUMNS,
    default_columns={"s3": _DOCUMENTED, "postgres": _DOCUMENTED, "redshift": _DOCUMENTED},
)
