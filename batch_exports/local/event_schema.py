"""The columns of a lake of events, in order."""

import pyarrow as pa

_TEXT: pa.DataType = pa.string()
_TIME: pa.DataType = pa.timestamp("us", tz="UTC")
_INTEGER: pa.DataType = pa.int64()

EVENTS = pa.schema(
    [
        ("uuid", _TEXT),
        ("event", _TEXT),
        ("distinct_id", _TEXT),
        ("person_id", _TEXT),
        ("team_id", _INTEGER),
        ("timestamp", _TIME),  # when it happened
        ("created_at", _TIME),  # when it reached the service
        ("inserted_at", _TIME),  # when it could first be read
        ("properties", _TEXT),  # JSON, as are person_properties, set and set_once
        ("person_properties", _TEXT),
        ("elements_chain", _TEXT),  # "" when the event is no click
        ("ip", _TEXT),
        ("set", _TEXT),
        ("set_once", _TEXT),
    ]
)
