"""ALTER TABLE of Redshift, for PostgreSQL: one change a statement.

Source: https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
"""

import re
from dataclasses import dataclass

from batch_exports.local.redshift.columns import NAME, limit_name, parse_column
from batch_exports.local.redshift.quotation import blank, split
from batch_exports.local.redshift.refusal import Refusal, syntax_error

_TABLE = rf"{NAME}(?:\s*\.\s*{NAME}){{0,2}}"
_HEAD = re.compile(rf"\s*ALTER\s+TABLE\s+(?P<table>{_TABLE})\s+(?P<change>.*)", re.I | re.S)
_APPEND = re.compile(
    rf"APPEND\s+FROM\s+(?P<source>{_TABLE})(?:\s+(?P<extra>IGNOREEXTRA|FILLTARGET))?\s*$", re.I
)
_ADD = re.compile(r"ADD\s+(?:COLUMN\s+)?", re.I)
_TYPE = re.compile(rf"ALTER\s+(?:COLUMN\s+)?(?P<column>{NAME})\s+TYPE\s+(?P<type>.*)$", re.I | re.S)
_KEY = re.compile(
    r"(ADD\s+(CONSTRAINT\s+\S+\s+)?(PRIMARY\s+KEY|UNIQUE|FOREIGN\s+KEY)\s*\(|DROP\s+CONSTRAINT\s)",
    re.I,
)
_LAYOUT = re.compile(
    rf"ALTER\s+(DISTKEY|DISTSTYLE|(COMPOUND\s+)?SORTKEY|ENCODE|(COLUMN\s+)?{NAME}\s+ENCODE)\b", re.I
)
_PLAIN = re.compile(
    rf"(RENAME\s+(COLUMN\s+{NAME}\s+)?TO\s+{NAME}|OWNER\s+TO\s+{NAME}"
    rf"|DROP\s+(COLUMN\s+)?{NAME}(\s+(RESTRICT|CASCADE))?)\s*$",
    re.I,
)


@dataclass(frozen=True)
class Append:
    """An ALTER TABLE APPEND: all rows of `source` move to `target`.

    `extra` is IGNOREEXTRA, FILLTARGET or None.
    """

    target: str
    source: str
    extra: str | None


def alter_table(statement: str, in_transaction: bool) -> str | Append:
    """Raises Refusal for what Redshift does not have, or not within a transaction."""
    head = _HEAD.match(statement)
    if not head:
        raise syntax_error("IF" if re.search(r"TABLE\s+IF\b", statement, re.I) else "TABLE")
    table, change = head["table"], head["change"].strip()
    bare = blank(change)
    if append := _APPEND.match(bare):
        _check_alone("ALTER TABLE APPEND", in_transaction)
        return Append(table, change[slice(*append.span("source"))], append["extra"])
    if len(split(change, ",")) > 1:
        raise syntax_error(",")
    if _KEY.match(bare) or _LAYOUT.match(bare):
        # Neither has an effect here. This one has none in PostgreSQL.
        return f"ALTER TABLE {table} SET WITHOUT CLUSTER"
    if add := _ADD.match(bare):
        return f"ALTER TABLE {table} ADD COLUMN {_added(change[add.end() :])}"
    if wider := _TYPE.match(bare):
        _check_alone("ALTER TABLE ALTER COLUMN", in_transaction)
        return _widened(table, change[slice(*wider.span("column"))], wider["type"])
    if _PLAIN.match(bare):
        return statement
    raise syntax_error(bare.split()[0])


def _check_alone(command: str, in_transaction: bool) -> None:
    if in_transaction:
        raise Refusal("25001", f"{command} cannot run inside a transaction block")


def _added(text: str) -> str:
    if re.match(r"IF\s+NOT\s+EXISTS\b", text, re.I):
        raise syntax_error("NOT")
    column = parse_column(text)
    if " NOT NULL" in column.definition and " DEFAULT " not in column.definition:
        raise Refusal(
            "0A000",
            "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression",
        )
    return column.definition


def _widened(table: str, name: str, type_: str) -> str:
    column = parse_column(f"{name} {type_}")
    if not column.type.startswith("varchar"):
        raise Refusal("0A000", f'cannot alter type of column "{column.name}" to {column.type}')
    check = column.definition[column.definition.index("CONSTRAINT") :]
    return (
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {limit_name(column.name)}, "
        f"ALTER COLUMN {name} TYPE {column.type}, ADD {check}"
    )
