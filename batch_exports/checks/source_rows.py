"""Rows that the source itself leaves out."""

from batch_exports.checks.examination import Examination, Outcome
from batch_exports.sources.rejections import RejectingSource


def check_source_rows(it: Examination) -> Outcome:
    """The source left no row out as invalid."""
    if not isinstance(it.source, RejectingSource):
        return Outcome(True, "The source leaves no row out.")
    found = it.source.rejections(it.export.selection, it.interval)
    rows = sum(found.rows.values())
    if not rows:
        return Outcome(True, "Every row is valid.", {"invalid_rows": 0})
    why = "; ".join(f"{number}: {reason}" for reason, number in found.rows.items())
    return Outcome(
        False,
        f"Rows left out: {rows} ({why}), such as {', '.join(found.examples)}. {found.where} keeps "
        "them. Correct them in the table: the next sync takes them in.",
        {"invalid_rows": rows, "examples": list(found.examples)},
    )
