"""The rule by which Amplitude sets the time of an event right."""

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.models.rule import Rule

_MICROSECONDS = 1_000_000
_LEAST_DIFFERENCE = 60 * _MICROSECONDS
# SDKs send milliseconds, and what is computed from them may be rounded to such.
_TOLERANCE = 1_000
_TIMES = ("event_time", "client_event_time", "client_upload_time", "server_received_time")


def _broken(batch: pa.RecordBatch) -> pa.Array:
    """Where the device's clock is a minute ahead of the server or more, both times are right.

    The document's words leave the time as it is there, as the difference is negative and so under
    60 seconds; their purpose asks to set it right as well.
    """
    event, logged, uploaded, received = (
        batch.column(name).cast(pa.timestamp("us", "UTC")).cast(pa.int64()) for name in _TIMES
    )
    difference = pc.subtract(received, uploaded)
    corrected = _about(event, pc.add(logged, difference))
    unchanged = _about(event, logged)
    ahead = pc.less_equal(difference, -_LEAST_DIFFERENCE)
    kept = pc.if_else(
        pc.greater_equal(difference, _LEAST_DIFFERENCE),
        corrected,
        pc.or_(unchanged, pc.and_(ahead, corrected)),
    )
    return pc.fill_null(pc.invert(kept), False)


def _about(times: pa.Array, expected: pa.Array) -> pa.Array:
    return pc.less_equal(pc.abs(pc.subtract(times, expected)), _TOLERANCE)


EVENT_TIME = Rule(
    "event_time",
    "`event_time` = `client_event_time` + (`server_received_time` - `client_upload_time`), or "
    "`client_event_time` alone where the difference is under 60 seconds; where it is -60 seconds "
    "or less, either. To the millisecond. "
    "https://amplitude.com/docs/data/destination-catalog/redshift",
    _TIMES,
    _broken,
)
