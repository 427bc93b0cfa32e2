"""MERGE of Redshift, in both its forms, for PostgreSQL.

Source: https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html
"""

import re

from batch_exports.local.redshift.columns import NAME
from batch_exports.local.redshift.quotation import blank
from batch_exports.local.redshift.refusal import Refusal, syntax_error

_TABLE = rf"{NAME}(?:\s*\.\s*{NAME}){{0,2}}"
_MERGE = re.compile(
    rf"\s*MERGE\s+INTO\s+(?P<target>{_TABLE})\s+USING\s+(?P<source>{_TABLE})\s+"
    rf"(?:(?:AS\s+)?(?P<alias>(?!ON\b){NAME})\s+)?ON\s*(?P<condition>\(.*?\)|\s.*?)\s*"
    r"(?P<clauses>\bWHEN\b.*|\bREMOVE\s+DUPLICATES)\s*$",
    re.I | re.S,
)
_CLAUSES = re.compile(
    r"WHEN\s+MATCHED\s+THEN\s+(?:UPDATE\s+SET\s+(?P<set>.*?)|DELETE)\s+"
    r"WHEN\s+NOT\s+MATCHED\s+THEN\s+INSERT\b.*",
    re.I | re.S,
)


def merge(statement: str) -> str:
    """Raises Refusal for what Redshift does not have."""
    bare = blank(statement)
    found = _MERGE.match(bare)
    if not found:
        raise syntax_error("(" if re.search(r"USING\s*\(", bare, re.I) else "MERGE")
    part = {name: statement[slice(*found.span(name))] for name in ("target", "source", "condition")}
    if re.search(r"[<>]", found["condition"]):
        raise Refusal("0A000", "MERGE matches by equality alone")
    if not found["clauses"].upper().startswith("WHEN"):
        alias = f" AS {statement[slice(*found.span('alias'))]}" if found["alias"] else ""
        source = f"{part['source']}{alias}"
        # Source rows replace the target's; those that are the same in all columns become one.
        return (
            f"WITH matched AS (DELETE FROM {part['target']} USING {source} "
            f"WHERE {part['condition']}) "
            f"INSERT INTO {part['target']} SELECT DISTINCT * FROM {source}"
        )
    _check(found["clauses"])
    return statement


def _check(clauses: str) -> None:
    if unknown := re.search(r"\bMATCHED\s+(AND|BY)\b|\bDO\s+(NOTHING)\b", clauses, re.I):
        raise syntax_error(unknown[1] or unknown[2])
    found = _CLAUSES.fullmatch(clauses.strip())
    if (
        not found
        or len(re.findall(r"\bWHEN\b", re.sub(r"(?i)\bCASE\b.*?\bEND\b", "", clauses))) != 2
    ):
        raise Refusal(
            "42601", "MERGE needs one WHEN MATCHED clause and one WHEN NOT MATCHED clause"
        )
    if re.match(r"[\w\"]+\s*\.", found["set"] or ""):
        raise syntax_error(".")
