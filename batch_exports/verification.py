"""What landed compared with what was recorded at its delivery, by each kind of destination."""

from collections.abc import Callable, Mapping
from typing import Any

from batch_exports.destinations.delivery import Destination, KeyReader
from batch_exports.destinations.http import verification as http
from batch_exports.destinations.http.destination import HttpDestination
from batch_exports.destinations.postgres import verification as postgres
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.redshift import verification as redshift
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.s3 import verification as s3
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.destinations.verified import Verified
from batch_exports.interval import DataInterval

_VERIFICATIONS: Mapping[type[Any], Callable[[Any, DataInterval, KeyReader], Verified]] = {
    HttpDestination: http.verify,
    PostgresDestination: postgres.verify,
    RedshiftDestination: redshift.verify,
    S3Destination: s3.verify,
}


def verify(destination: Destination, interval: DataInterval, source_keys: KeyReader) -> Verified:
    """Read anew all that can tell a change.

    The source is asked for its keys only where nothing else tells which rows are the interval's.
    Raises `Terminal` where the interval was never delivered, and what source and destination raise.
    """
    return _VERIFICATIONS[type(destination)](destination, interval, source_keys)
