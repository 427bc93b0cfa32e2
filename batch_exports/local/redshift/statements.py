"""A client's statement, for PostgreSQL: what it becomes, and what the emulator does itself."""

import re
from dataclasses import dataclass

from batch_exports.local.redshift.copy_statement import Copy, parse_copy
from batch_exports.local.redshift.create_table import create_table
from batch_exports.local.redshift.quotation import blank, fold, split
from batch_exports.local.redshift.refusal import Refusal

MOST_BYTES = 16_777_216
"""The longest statement."""

_STARTS = {
    "create table": re.compile(r"\s*CREATE\s+((LOCAL\s+)?TEMP(ORARY)?\s+)?TABLE\b", re.I),
    "copy": re.compile(r"\s*COPY\b", re.I),
    "truncate": re.compile(r"\s*TRUNCATE\b", re.I),
}
# Newer versions of PostgreSQL have a syntax of their own for JSON_SERIALIZE, but for its quoted name.
_RESPELLED = (
    (re.compile(r"\bjson_serialize(?=\s*\()", re.I), '"json_serialize"'),
    (re.compile(r"\b(pg_catalog\.)?version\s*\(\s*\)", re.I), "pg_catalog.redshift_version()"),
    (re.compile(r"\bsysdate\b", re.I), "(now() AT TIME ZONE 'UTC')"),
    (re.compile(r"(?<=varchar)\s*\(\s*max\s*\)", re.I), "(65535)"),
)


@dataclass(frozen=True)
class Passed:
    """A statement for PostgreSQL."""

    text: str


@dataclass(frozen=True)
class Truncate:
    """A TRUNCATE, which ends its transaction."""

    text: str


Plan = Passed | Truncate | Copy


def plan(statement: str) -> Plan:
    """What to do with what a client sent. Raises Refusal for what Redshift does not have."""
    if len(statement.encode()) > MOST_BYTES:
        raise Refusal("54000", f"Statement is too large. Maximum allowed: {MOST_BYTES} bytes")
    parts = [part for part in split(fold(statement), ";") if part.strip()]
    plans = [_plan(part) for part in parts]
    if len(plans) == 1:
        return plans[0]
    if not all(isinstance(one, Passed) for one in plans):
        raise Refusal("0A000", "this emulator takes COPY, UNLOAD and TRUNCATE one at a time")
    return Passed("; ".join(one.text for one in plans if isinstance(one, Passed)))


def refusing(refusal: Refusal, statement: str) -> str:
    """A statement that fails as `refusal` says, and takes the parameters that `statement` takes."""
    words = (refusal.code, refusal.message, refusal.detail)
    literals = ", ".join("NULL" if word is None else _literal(word) for word in words)
    numbers = {int(number) for number in re.findall(r"\$(\d+)", blank(statement))}
    parameters = "".join(f", ${number}::text" for number in range(1, max(numbers, default=0) + 1))
    return f"SELECT pg_catalog.emulator_refuse({literals}){parameters}"


def _plan(statement: str) -> Plan:
    bare = blank(statement)
    if _STARTS["copy"].match(bare):
        return parse_copy(statement)
    if _STARTS["truncate"].match(bare):
        return Truncate(statement)
    if _STARTS["create table"].match(bare):
        return Passed(create_table(statement))
    return Passed(_respelled(statement))


def _respelled(statement: str) -> str:
    """The statement with what PostgreSQL reads otherwise, or not at all, in its words."""
    for pattern, words in _RESPELLED:
        for found in reversed(list(pattern.finditer(blank(statement)))):
            statement = statement[: found.start()] + words + statement[found.end() :]
    return statement


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
