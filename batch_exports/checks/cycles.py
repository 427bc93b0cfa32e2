"""Merges of IDs that lead nowhere."""

from typing import cast

from batch_exports.checks.examination import Examination, Outcome
from batch_exports.destinations.delivery import ResolvingDestination

_EXAMPLES = 5


def check_cycles(it: Examination) -> Outcome:
    """No merges of IDs lead in a circle, in the whole table."""
    found = cast(ResolvingDestination, it.destination).cycles(it.interval)
    return Outcome(
        not found.ids,
        f"IDs that are not resolved: {found.ids}, as merges lead in a circle: {found.examples[0]}."
        if found.ids
        else "Every merged ID is resolved.",
        {"unresolved_ids": found.ids, "examples": list(found.examples[:_EXAMPLES])},
    )
