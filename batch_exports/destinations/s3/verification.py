"""A delivery's objects, read whole and compared with its manifest."""

from batch_exports.destinations.delivery import KeyReader
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.destinations.verified import Verified
from batch_exports.interval import DataInterval


def verify(destination: S3Destination, interval: DataInterval, source_keys: KeyReader) -> Verified:
    """Every object by its size, ETag and SHA-256, and rows by reading them."""
    landed = destination.inspect(interval, deep=True)
    files = landed.delivery.files or ()
    return Verified(
        f"{len(files)} data files with the manifest, by size, ETag and SHA-256 of all bytes",
        landed.problems,
        landed.rows,
    )
