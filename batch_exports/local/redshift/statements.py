"""A client's statement, for PostgreSQL: what it becomes, and what the emulator does itself."""

import re
from dataclasses import dataclass, replace

from batch_exports.local.redshift.alter_table import Append, alter_table
from batch_exports.local.redshift.copy_statement import Copy, parse_copy
from batch_exports.local.redshift.create_table import create_table
from batch_exports.local.redshift.gate import check
from batch_exports.local.redshift.merge import merge
from batch_exports.local.redshift.parameters import parameter
from batch_exports.local.redshift.quotation import blank, fold, split
from batch_exports.local.redshift.refusal import Refusal, syntax_error
from batch_exports.local.redshift.respelling import respelled
from batch_exports.local.redshift.unload_statement import Unload, parse_unload

MOST_BYTES = 16_777_216
"""The longest statement."""

_STATEMENT = re.compile(
    r"""\s*(?:
    (?P<create_table>CREATE\s+(?:(?:LOCAL\s+)?TEMP(?:ORARY)?\s+)?TABLE)|(?P<alter_table>ALTER\s+TABLE)
    |(?P<merge>MERGE)|(?P<copy>COPY)|(?P<unload>UNLOAD)|(?P<truncate>TRUNCATE)
    |(?P<parameter>SET|RESET|SHOW)
    )\b""",
    re.I | re.X,
)
_COMMIT = re.compile(r"\s*(COMMIT|END)\b", re.I)


@dataclass(frozen=True)
class Passed:
    """A statement for PostgreSQL."""

    text: str


@dataclass(frozen=True)
class Truncate:
    """A TRUNCATE, which ends its transaction."""

    text: str


@dataclass(frozen=True)
class FailedCommit:
    """A COMMIT that fails."""

    refusal: Refusal


Plan = Passed | Truncate | Append | Copy | Unload | FailedCommit


def plan(statement: str, in_transaction: bool) -> Plan:
    """What to do with what a client sent. Raises Refusal for what Redshift does not have."""
    if len(statement.encode()) > MOST_BYTES:
        raise Refusal("54000", f"Statement is too large. Maximum allowed: {MOST_BYTES} bytes")
    parts = [part for part in split(fold(statement), ";") if part.strip()]
    plans = [_plan(part, in_transaction) for part in parts]
    if len(plans) == 1:
        return plans[0]
    texts = [one.text for one in plans if isinstance(one, Passed)]
    if len(texts) < len(plans):
        raise Refusal("0A000", "this emulator takes COPY, UNLOAD and TRUNCATE one at a time")
    return Passed("; ".join(texts))


def is_commit(statement: str) -> bool:
    return bool(_COMMIT.match(statement))


def refusing(refusal: Refusal, statement: str) -> str:
    """A statement that fails as `refusal` says, and takes the parameters that `statement` takes."""
    words = (refusal.code, refusal.message, refusal.detail)
    literals = ", ".join("NULL" if word is None else _literal(word) for word in words)
    numbers = {int(number) for number in re.findall(r"\$(\d+)", blank(statement))}
    parameters = "".join(f", ${number}::text" for number in range(1, max(numbers, default=0) + 1))
    return f"SELECT pg_catalog.emulator_refuse({literals}){parameters}"


def _plan(statement: str, in_transaction: bool) -> Plan:
    check(statement)
    found = _STATEMENT.match(statement)
    kind = found.lastgroup if found else None
    statement = respelled(statement)
    if kind == "copy":
        return parse_copy(statement)
    if kind == "unload":
        unload = parse_unload(statement)
        query = _plan(fold(unload.query), in_transaction)
        if not isinstance(query, Passed):
            raise syntax_error("UNLOAD")
        return replace(unload, query=query.text)
    if kind == "truncate":
        return Truncate(statement)
    if kind == "alter_table":
        altered = alter_table(statement, in_transaction)
        return altered if isinstance(altered, Append) else Passed(altered)
    rewrite = {"create_table": create_table, "merge": merge, "parameter": parameter}
    return Passed(rewrite[kind](statement) if kind in rewrite else statement)


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
