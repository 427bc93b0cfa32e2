"""What the record of calls names, compared with what lies on S3."""

from batch_exports.destinations.delivery import KeyReader
from batch_exports.destinations.http.destination import HttpDestination
from batch_exports.destinations.verified import Verified
from batch_exports.interval import DataInterval


def verify(
    destination: HttpDestination, interval: DataInterval, source_keys: KeyReader
) -> Verified:
    """What arrived is known to the endpoint alone: of it nothing can be told."""
    landed = destination.inspect(interval, deep=True)
    return Verified(
        "the rejects on S3 with the record, by SHA-256; what arrived cannot be asked for",
        landed.problems,
        landed.rows,
    )
