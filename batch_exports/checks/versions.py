"""Of merged rows the newest is there."""

from typing import cast

from batch_exports.checks.examination import Examination, Outcome
from batch_exports.destinations.delivery import MergingDestination


def check_versions(it: Examination) -> Outcome:
    """No row in the table is older than the interval's row of the same key."""
    found = cast(MergingDestination, it.destination).versions(it.interval, it.source_keys)
    return Outcome(
        not found.stale,
        f"Rows older than the source's: {found.stale}, such as {found.examples[0]}. "
        "Materialize the partition again."
        if found.stale
        else f"Rows as new as the source's, or newer: {found.rows}.",
        {"rows": found.rows, "stale_rows": found.stale, "examples": list(found.examples)},
    )
