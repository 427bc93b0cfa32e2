"""The columns of a lake of persons, in order."""

import pyarrow as pa

_TEXT: pa.DataType = pa.string()
_TIME: pa.DataType = pa.timestamp("us", tz="UTC")
_INTEGER: pa.DataType = pa.int64()

PERSONS = pa.schema(
    [
        ("team_id", _INTEGER),
        ("distinct_id", _TEXT),
        ("person_id", _TEXT),
        ("properties", _TEXT),  # JSON
        ("person_distinct_id_version", _INTEGER),  # of the mapping
        ("person_version", _INTEGER),  # of the properties
        ("created_at", _TIME),  # when the person was first seen
        ("is_deleted", pa.bool_()),
        ("inserted_at", _TIME),  # when this version could first be read
    ]
)
