"""The columns of Amplitude's table, and the rule of its `event_time`."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from batch_exports.models import AMPLITUDE_EVENTS, JSON
from batch_exports.models.amplitude_event_time import EVENT_TIME

# https://amplitude.com/docs/data/destination-catalog/redshift, as it was when the export came out.
DOCUMENTED = [
    "adid",  # written as Adid there, which Redshift folds
    "amplitude_event_type",
    "amplitude_id",
    "app",
    "city",
    "client_event_time",
    "client_upload_time",
    "country",
    "data",
    "device_brand",
    "device_carrier",
    "device_family",
    "device_id",
    "device_manufacturer",
    "device_model",
    "device_type",
    "dma",
    "event_id",
    "event_properties",
    "event_time",
    "followed_an_identify",
    "group_properties",
    "groups",
    "idfa",
    "ip_address",
    "is_attribution_event",
    "language",
    "library",
    "location_lat",
    "location_lng",
    "os_name",
    "os_version",
    "paying",
    "platform",
    "processed_time",
    "region",
    "sample_rate",
    "server_received_time",
    "server_upload_time",
    "session_id",
    "start_version",
    "user_creation_time",
    "user_id",
    "user_properties",
    "uuid",
    "version_name",
]
LOGGED = datetime(2026, 11, 1, 9, tzinfo=UTC)
UPLOADED = LOGGED + timedelta(seconds=5)


@pytest.mark.parametrize("destination", ["s3", "postgres", "redshift"])
def test_default_columns_are_the_document_s_in_its_order(destination: str) -> None:
    assert [c.name for c in AMPLITUDE_EVENTS.select((), destination)] == DOCUMENTED
    assert len(AMPLITUDE_EVENTS.columns) == 47


def test_types_of_redshift_s_table() -> None:
    types = Counter(c.types.get("redshift") for c in AMPLITUDE_EVENTS.columns)
    assert types == {
        "VARCHAR(4096)": 24,
        "VARCHAR(65535)": 1,
        "VARCHAR(36)": 1,
        "BIGINT": 4,
        "NUMERIC(38,9)": 1,
        "BOOLEAN": 2,
        "DOUBLE PRECISION": 2,
        "TIMESTAMP": 7,
        None: 5,  # SUPER or VARCHAR(65535), as the export says
    }
    semi_structured = {c.name for c in AMPLITUDE_EVENTS.columns if "redshift" not in c.types}
    assert semi_structured == {c.name for c in AMPLITUDE_EVENTS.columns if c.type.equals(JSON)}


def broken(adjusted_by: float | None, clock_behind: float) -> bool:
    """Whether a row breaks the rule whose event_time is so many seconds after its
    client_event_time, on a device whose clock is so many seconds behind the server's."""
    times = {
        "event_time": None if adjusted_by is None else LOGGED + timedelta(seconds=adjusted_by),
        "client_event_time": LOGGED,
        "client_upload_time": UPLOADED,
        "server_received_time": UPLOADED + timedelta(seconds=clock_behind),
    }
    arrays = [pa.array([time], pa.timestamp("us", "UTC")) for time in times.values()]
    mask: list[bool] = EVENT_TIME.broken(
        pa.RecordBatch.from_arrays(arrays, names=list(times))
    ).to_pylist()
    return mask[0]


@pytest.mark.parametrize(
    ("clock_behind", "kept", "broken_by"),
    [
        (0, [0], [1, -1, 60]),
        (59.999999, [0], [59.999999]),
        (60, [60, 60.0004], [0, 61]),
        (7200.5, [7200.5], [0, 7200, 7201]),
        (-59.9, [0], [-59.9]),
        (-60, [0, -60], [60, -59]),
        (-3600, [0, -3600], [3600, -1]),
    ],
)
def test_event_time(clock_behind: float, kept: list[float], broken_by: list[float]) -> None:
    assert not any(broken(seconds, clock_behind) for seconds in kept)
    assert all(broken(seconds, clock_behind) for seconds in broken_by)


def test_a_row_without_one_of_the_times_breaks_nothing() -> None:
    assert not broken(None, 0)
