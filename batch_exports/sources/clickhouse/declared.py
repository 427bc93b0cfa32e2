"""The rows of a model that a user declared: of a table, or of a query."""

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa

from batch_exports.errors import Terminal
from batch_exports.models import JSON, Model, Query, Table, type_name
from batch_exports.models.origin import INTERVAL_END, INTERVAL_START
from batch_exports.sources.clickhouse.statement import (
    END,
    START,
    Statement,
    between,
    identifier,
    named,
    utc,
)
from batch_exports.sources.projection import columns_to_read
from batch_exports.sources.source import Selection

OUTSIDE = -1
"""The segment of rows that are in no interval."""

_WRAPPER = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
# Types of which toString gives the text that people know.
_AS_TEXT = ("Enum", "FixedString", "IPv4", "IPv6", "JSON", "UUID")
# Types that Arrow has as something else, or not at all.
_UNFIT = ("AggregateFunction", "Date", "Int128", "Int256", "UInt128", "UInt256")
_LIST = re.compile(r"Array\((.*)\)")
_PRECISION = re.compile(r"DateTime64\((\d)")


def relation(origin: Table | Query) -> str:
    """What stands after FROM. A query is as it was written, with the interval's bounds in it."""
    match origin:
        case Table(name, schema):
            return identifier(schema, name) if schema else identifier(name)
        case Query(text):
            return f"(\n{text.replace(INTERVAL_START, START).replace(INTERVAL_END, END)}\n)"


def describe(origin: Table | Query) -> Statement:
    """A statement whose rows have the columns' `name` and `type`."""
    return Statement(f"DESCRIBE TABLE {relation(origin)}")


def needed(selection: Selection, types: Mapping[str, str], where: str) -> list[str]:
    """The columns that a selection needs out of those that there are.

    Raises `Terminal` for one that is missing, and a membership column without moments.
    """
    try:
        names = columns_to_read(selection, types, where)
    except Terminal as error:
        correct = "query" if isinstance(selection.model.origin, Query) else "table"
        raise Terminal(
            error.message,
            remedy=f"It has {', '.join(types)}. Add the column to the {correct}, or leave it out "
            "of the export's columns.",
        ) from None
    if not _bare(types[selection.membership]).startswith("DateTime"):
        raise Terminal(
            f"{where}: the membership column {selection.membership!r} is "
            f"{types[selection.membership]}.",
            remedy="It places rows in intervals, and must be a DateTime: convert it in a query.",
        )
    return names


def read(
    selection: Selection, names: Sequence[str], types: Mapping[str, str], where: str
) -> Statement:
    """The named columns of the rows of a table that lie in the interval, or have no time; of all
    rows of a query, which has no others."""
    origin = selection.model.origin
    assert origin
    wanted = _wanted(selection.model, selection.membership)
    expressions = {
        name: _expression(name, types[name], wanted.get(name, pa.string()), where) for name in names
    }
    member = identifier("t", selection.membership)
    inside = f"\nWHERE ({between(member)}) OR {member} IS NULL" if isinstance(origin, Table) else ""
    return Statement(
        f"SELECT\n    {named(expressions, names)}\nFROM {relation(origin)} AS t{inside}"
    )


def count(selection: Selection, segment: str) -> Statement:
    """How many rows there are in each `segment`, an expression of the column `moment`; those
    without a time have none. Rows of a query that are outside the interval have OUTSIDE."""
    origin = selection.model.origin
    assert origin
    member = identifier("t", selection.membership)
    inside = between(member)
    if isinstance(origin, Query):
        segment, where = f"if({between('moment')}, {segment}, {OUTSIDE})", ""
    else:
        where = f"\n    WHERE ({inside}) OR {member} IS NULL"
    return Statement(
        f"""SELECT if(moment IS NULL, NULL, {segment}) AS segment, count() AS rows
FROM (
    SELECT {utc(member)} AS moment FROM {relation(origin)} AS t{where}
)
GROUP BY segment"""
    )


def _wanted(model: Model, membership: str) -> dict[str, pa.DataType]:
    types = {column.source_name: column.type for column in model.columns}
    return types | {membership: pa.timestamp("us", "UTC")}


def _expression(name: str, type_: str, wanted: pa.DataType, where: str) -> str:
    """A column in a form in which Arrow holds each of its values; what does not fit the model
    then, is told of the rows."""
    column, bare = identifier("t", name), _bare(type_)
    if pa.types.is_timestamp(wanted) and bare.startswith("DateTime"):
        precision = _PRECISION.match(bare)
        if precision and int(precision[1]) > 6:
            raise Terminal(
                f"{where}: the column {name!r} is {type_}, and times are to the microsecond here.",
                remedy="Convert it in a query, such as by toDateTime64(..., 6), or leave it out.",
            )
        return utc(column)
    if (pa.types.is_string(wanted) or wanted.equals(JSON)) and bare.startswith(_AS_TEXT):
        return f"toString({column})"
    if pa.types.is_date32(wanted) and bare == "Date":  # Arrow has no days of 16 bits
        return f"toDate32({column})"
    elements = _LIST.fullmatch(bare)
    if pa.types.is_list(wanted) and elements and _bare(elements[1]).startswith(_AS_TEXT):
        return f"arrayMap(one -> toString(one), {column})"
    if bare == "Date32" and pa.types.is_date32(wanted):
        return column
    if bare.startswith(_UNFIT):
        raise Terminal(
            f"{where}: the column {name!r} is {type_}, and was expected as {type_name(wanted)}.",
            remedy="Convert it in a query, or leave it out of the export's columns.",
        )
    return column


def _bare(type_: str) -> str:
    """The type without what says that it may be NULL, and how it is stored."""
    while found := _WRAPPER.fullmatch(type_):
        type_ = found[1]
    return type_
