"""A table's rows of an interval, compared with the ledger."""

from batch_exports.destinations.delivery import KeyReader
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.verified import Verified
from batch_exports.interval import DataInterval


def verify(
    destination: RedshiftDestination, interval: DataInterval, source_keys: KeyReader
) -> Verified:
    """By the number of rows and their keys: the ledger's hash is of what was staged, which is gone,
    and nothing in the cluster tells who wrote a row."""
    landed = destination.inspect(interval, source_keys=source_keys)
    keys = destination.keys(interval, source_keys)
    problems = list(landed.problems)
    if keys.nulls:
        problems.append(f"Rows without a key: {keys.nulls}.")
    if keys.duplicates:
        problems.append(f"Rows that repeat a key: {keys.duplicates}, such as {keys.examples[0]}.")
    return Verified(
        "the number of rows with the ledger, and their keys with each other; not their values",
        tuple(problems),
        landed.rows,
    )
