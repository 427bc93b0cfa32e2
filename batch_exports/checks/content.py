"""Whether somebody has changed what was delivered."""

from batch_exports.checks.examination import Examination, Outcome
from batch_exports.verification import verify


def check_content(it: Examination) -> Outcome:
    """What was delivered is there as it was delivered: run on demand, and not with deliveries."""
    found = verify(it.destination, it.interval, it.source_keys)
    return Outcome(
        not found.problems,
        " ".join(found.problems) or f"As it was delivered. Compared: {found.compared}.",
        {
            "rows": "not counted" if found.rows is None else found.rows,
            "differences": len(found.problems),
            "compared": found.compared,
        },
    )
