"""The keys of what landed."""

from batch_exports.checks.examination import Examination, Outcome


def check_keys(it: Examination) -> Outcome:
    """No row without a key, and no key twice within the interval."""
    key = it.export.selection.identity
    found = it.destination.keys(it.interval, it.source_keys)
    problems = []
    if found.nulls:
        problems.append(f"Rows without {', '.join(key)}: {found.nulls}.")
    if found.duplicates:
        problems.append(f"Rows that repeat a key: {found.duplicates}, such as {found.examples[0]}.")
    return Outcome(
        not problems,
        " ".join(problems) or f"Rows, each with a key of its own: {found.rows}.",
        {
            "rows": found.rows,
            "null_keys": found.nulls,
            "duplicate_keys": found.duplicates,
            "examples": list(found.examples),
        },
    )
