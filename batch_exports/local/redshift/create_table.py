"""CREATE TABLE of Redshift, for PostgreSQL.

Its layout (distribution, sort keys, encodings) has no effect here, but is kept with the table and
shown by the catalog's views. Keys are taken and not enforced, as on Redshift.
Source: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
"""

import json
import re
from dataclasses import dataclass, field

from batch_exports.local.redshift.columns import NAME, Column, parse_column, super_as_key
from batch_exports.local.redshift.quotation import blank, split
from batch_exports.local.redshift.refusal import Refusal, syntax_error

_HEAD = re.compile(
    rf"\s*CREATE\s+(?:LOCAL\s+)?(?P<temporary>TEMP(?:ORARY)?\s+)?TABLE\s+"
    rf"(?P<absent>IF\s+NOT\s+EXISTS\s+)?(?P<table>{NAME}(?:\s*\.\s*{NAME}){{0,2}})\s*",
    re.I,
)
_TABLE_ATTRIBUTE = re.compile(
    rf"""\s*(?:
    BACKUP\s+(?:YES|NO)|DISTSTYLE\s+(?P<style>AUTO|EVEN|ALL|KEY)|ENCODE\s+AUTO
    |DISTKEY\s*\(\s*(?P<distkey>{NAME})\s*\)
    |(?:COMPOUND\s+|INTERLEAVED\s+)?SORTKEY\s*\((?P<sortkey>[^)]*)\)|SORTKEY\s+AUTO
    )(?!\w)""",
    re.I | re.X,
)
_KEY = re.compile(
    r"\s*(?:CONSTRAINT\s+\S+\s+)?(?P<kind>PRIMARY\s+KEY|UNIQUE|FOREIGN\s+KEY)\b", re.I
)
_LIKE = re.compile(
    r"\s*LIKE\s+(?P<table>[^\s()]+)(?P<options>(?:\s+(?:INCLUDING|EXCLUDING)\s+DEFAULTS)?)\s*$",
    re.I,
)


@dataclass
class _Layout:
    diststyle: str | None = None
    distkey: str | None = None
    sortkey: list[str] = field(default_factory=list)
    encodings: dict[str, str] = field(default_factory=dict)

    def constraint(self) -> str:
        # In hexadecimal digits: whatever the names hold, nothing has to be quoted.
        kept = json.dumps(vars(self)).encode().hex()
        return f"CONSTRAINT emulator_layout CHECK (pg_catalog.emulator_layout('{kept}'))"


def create_table(statement: str) -> str:
    """Raises Refusal for what Redshift does not have."""
    head = _HEAD.match(statement)
    if not head:
        raise syntax_error("TABLE")
    rest = statement[head.end() :]
    bare = blank(rest)
    if not bare.startswith("(") or re.match(r"\([^()]*\)\s*AS\b", bare, re.I):
        return _create_as(statement, head.end())
    end = _closing(bare)
    columns, others, keys = _elements(rest[1:end])
    layout = _layout(rest[end + 1 :], columns)
    definitions = [_with_key(column, keys) for column in columns]
    if not any(other.upper().startswith("LIKE") for other in others) or layout != _Layout():
        others.append(layout.constraint())
    return f"{head[0]}({', '.join([*definitions, *others])})"


def _create_as(statement: str, start: int) -> str:
    """CREATE TABLE AS: the layout goes, the query stays."""
    found = re.search(r"\bAS\b", blank(statement)[start:], re.I)
    if not found:
        raise syntax_error("TABLE")
    attributes = statement[start : start + found.start()]
    listed = re.match(r"\s*\([^()]*\)", blank(attributes))
    names = attributes[: listed.end()] if listed else ""
    _layout(attributes[len(names) :], None)
    return f"{statement[:start]}{names} {statement[start + found.start() :]}"


def _closing(bare: str) -> int:
    depth = 0
    for at, sign in enumerate(bare):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return at
    raise syntax_error("(")


def _elements(text: str) -> tuple[list[Column], list[str], set[str]]:
    """The columns, tables to be like, and the names of the columns of the primary key."""
    columns: list[Column] = []
    others: list[str] = []
    keys: set[str] = set()
    for element in split(text, ","):
        bare = blank(element)
        if key := _KEY.match(bare):
            if key["kind"].upper().startswith("PRIMARY"):
                listed = element[element.index("(") + 1 : element.rindex(")")]
                keys.update(name.strip().strip('"').lower() for name in split(listed, ","))
        elif like := _LIKE.match(element):
            # The layout and the lengths of columns are constraints here.
            others.append(f"LIKE {like['table']}{like['options']} INCLUDING CONSTRAINTS")
        elif re.match(r"\s*(LIKE|CHECK|EXCLUDE|CONSTRAINT)\b", bare, re.I):
            raise syntax_error(bare.split()[0])
        else:
            columns.append(parse_column(element))
    return columns, others, keys


def _with_key(column: Column, keys: set[str]) -> str:
    needed = column.name in keys and " NOT NULL" not in column.definition
    return f"{column.definition} NOT NULL" if needed else column.definition


def _layout(attributes: str, columns: list[Column] | None) -> _Layout:
    """What follows the columns; `columns` is None where a query gives them."""
    layout = _Layout()
    while attributes.strip():
        bare = blank(attributes)
        found = _TABLE_ATTRIBUTE.match(bare)
        if not found:
            raise syntax_error(bare.split()[0])
        layout.diststyle = found["style"] or layout.diststyle
        if found["distkey"]:
            layout.distkey = _name(attributes[slice(*found.span("distkey"))])
        if found["sortkey"]:
            keys = attributes[slice(*found.span("sortkey"))]
            layout.sortkey = [_name(key) for key in split(keys, ",")]
        attributes = attributes[found.end() :]
    for column in columns or ():
        layout.distkey = column.name if column.distkey else layout.distkey
        layout.sortkey += [column.name] if column.sortkey else []
        if column.encoding:
            layout.encodings[column.name] = column.encoding.lower()
    if columns:
        _check_keys(layout, {column.name: column.type for column in columns})
    return layout


def _check_keys(layout: _Layout, types: dict[str, str]) -> None:
    for key in filter(None, (layout.distkey, *layout.sortkey)):
        if key not in types:
            raise Refusal("42703", f'column "{key}" named in key does not exist')
        if types[key] == "super":
            raise super_as_key(key)


def _name(text: str) -> str:
    return text.strip().strip('"').lower()
