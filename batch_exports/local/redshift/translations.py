"""PostgreSQL's errors in Redshift's words, where programs tell errors by their words."""

import re

from batch_exports.local.redshift.refusal import Refusal

_CYCLE = "Serializable isolation violation on table in Redshift"
_TRANSLATIONS = (
    # https://docs.aws.amazon.com/redshift/latest/dg/JSON_PARSE.html
    ("22P02", r"invalid input syntax for type json", Refusal("XX000", "JSON parsing error")),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html
    (
        "21000",
        r"MERGE command cannot affect row a second time",
        Refusal("XX000", "Found multiple matches to update the same tuple."),
    ),
    # https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting.html
    ("40001", r"could not serialize access", Refusal("XX000", "1023", _CYCLE)),
    (
        "0A000",
        r"cannot accept a value of a shell type",
        Refusal(
            "42804",
            "column is of type super but the value is a literal: this emulator takes JSON_PARSE()",
        ),
    ),
)


def translated(refusal: Refusal) -> Refusal:
    """The error as Redshift has it; most are the same."""
    for code, message, other in _TRANSLATIONS:
        if refusal.code == code and re.search(message, refusal.message):
            return Refusal(other.code, other.message, other.detail or refusal.detail)
    return refusal
