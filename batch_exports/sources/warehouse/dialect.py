"""What PostgreSQL and Redshift have in different words: how values come out, and are compared.

Every value comes out as text that tells it without loss, but for floats, which come as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from batch_exports.sources.warehouse.kinds import Kind, TableColumn

Form = Literal["json", "text", "double", "real", "hex"]

_VARCHAR = "VARCHAR(65535)"
# Times have six digits of a second. What TO_CHAR has no form for, years before the first and
# PostgreSQL's infinity, is as the server writes it.
# https://docs.aws.amazon.com/redshift/latest/dg/r_FORMAT_strings.html
_TO_CHAR = (
    "CASE WHEN {{}} >= '0001-01-01'{finite} THEN TO_CHAR({{}}{utc}, 'YYYY-MM-DD') || 'T' || "
    "TO_CHAR({{}}{utc}, 'HH24:MI:SS.US'){zone} ELSE CAST({{}} AS {text}) END"
)
_TRUTH = "CASE WHEN {} THEN 'true' WHEN NOT {} THEN 'false' END"


@dataclass(frozen=True)
class Value:
    """How a column's values come out: by expressions with {} in the place of the column.

    Of several expressions the first that is not NULL tells the value. `json` is JSON text, `hex`
    the same as the hexadecimal digits of its bytes, `text` a string without its quotes.
    """

    form: Form
    expressions: tuple[str, ...]

    def of(self, column: sql.Composable) -> list[sql.Composed]:
        return [_at(template, column) for template in self.expressions]


@dataclass(frozen=True)
class Dialect:
    """`text` is the type of text of any length; `lock` lets one sync at a time go on, and readers
    by it. `compared` is what tells values of a kind apart where = and <> do not. `unloaded` is how
    values come out by UNLOAD, where there is one."""

    name: Literal["postgres", "redshift"]
    text: str
    lock: str
    values: Mapping[Kind, Value]
    unloaded: Mapping[Kind, Value]
    compared: Mapping[Kind, str]

    def value(self, column: TableColumn, *, unloaded: bool = False) -> Value:
        assert column.kind
        return (self.unloaded if unloaded else self.values)[column.kind]

    def as_text(self, column: TableColumn, of: str) -> sql.Composed:
        """The text of a column of the relation `of` that is a key or identifies."""
        value = self.value(column)
        assert value.form in ("json", "text")
        (expression,) = value.of(sql.Identifier(of, column.name))
        return expression

    def comparable(self, column: TableColumn, of: str) -> sql.Composed:
        """What is equal exactly for values of a column that are the same."""
        assert column.kind
        return _at(self.compared.get(column.kind, "{}"), sql.Identifier(of, column.name))


def _at(template: str, column: sql.Composable) -> sql.Composed:
    parts = template.split("{}")
    pieces: list[sql.Composable] = [sql.SQL(parts[0])]
    for part in parts[1:]:
        pieces += [column, sql.SQL(part)]
    return sql.Composed(pieces)


def _text(template: str) -> Value:
    return Value("text", (template,))


def _json(template: str) -> Value:
    return Value("json", (template,))


def _times(text: str, finite: str) -> dict[Kind, Value]:
    def moment(utc: str, zone: str) -> Value:
        return _text(_TO_CHAR.format(finite=finite, utc=utc, zone=zone, text=text))

    written = f"CAST({{}} AS {text})"
    # An offset of whole hours comes without minutes, which ISO 8601's extended format wants.
    sign = f"SUBSTRING({written}, LENGTH({written}) - 2, 1) IN ('+', '-')"
    return {
        Kind.DATE: _text(written),
        Kind.TIMESTAMP: moment("", ""),
        Kind.TIMESTAMPTZ: moment(" AT TIME ZONE 'UTC'", " || 'Z'"),
        Kind.TIME: _text(written),
        Kind.TIMETZ: _text(f"CASE WHEN {sign} THEN {written} || ':00' ELSE {written} END"),
    }


_FLOATS = {Kind.REAL: Value("real", ("{}",)), Kind.DOUBLE: Value("double", ("{}",))}

_OF_POSTGRES = {
    **_FLOATS,
    **_times("text", " AND {} < 'infinity'"),
    Kind.INTEGER: _json("CAST({} AS text)"),
    Kind.DECIMAL: _json("CAST({} AS text)"),
    Kind.BOOLEAN: _json(_TRUTH),
    Kind.TEXT: _text("CAST({} AS text)"),
    Kind.CHAR: _text("CAST({} AS text)"),
    Kind.JSON: _json("CAST({} AS text)"),
    Kind.JSONB: _json("CAST({} AS text)"),
    Kind.BYTES: _text("encode({}, 'hex')"),
    Kind.OTHER: _json("CAST(to_json({}) AS text)"),
}
POSTGRES = Dialect(
    name="postgres",
    text="text",
    lock="LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",
    values=_OF_POSTGRES,
    unloaded={},
    # A collation may take letters for the same that are not; JSON and other types may have no =.
    compared=dict.fromkeys((Kind.TEXT, Kind.JSON, Kind.OTHER), 'CAST({} AS text) COLLATE "C"'),
)

_OF_REDSHIFT = {
    **_FLOATS,
    **_times(_VARCHAR, ""),
    Kind.INTEGER: _json(f"CAST({{}} AS {_VARCHAR})"),
    Kind.DECIMAL: _json(f"CAST({{}} AS {_VARCHAR})"),
    Kind.BOOLEAN: _json(_TRUTH),
    Kind.TEXT: _text("{}"),
    Kind.CHAR: _text("RTRIM({}, ' ')"),
    # A VARCHAR of JSON_SERIALIZE ends at 65,535 bytes. Clients see VARBYTE as hexadecimal digits.
    # https://docs.aws.amazon.com/redshift/latest/dg/JSON_SERIALIZE.html
    # https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html
    Kind.JSON: Value("hex", ("JSON_SERIALIZE_TO_VARBYTE({})",)),
    Kind.BYTES: _text("FROM_VARBYTE({}, 'hex')"),
}

REDSHIFT = Dialect(
    name="redshift",
    text=_VARCHAR,
    lock="LOCK TABLE {}",
    values=_OF_REDSHIFT,
    unloaded={
        **_OF_REDSHIFT,
        # VARBYTE is not unloaded to Parquet, and SUPER as JSON. Of what JSON_SERIALIZE has room
        # for it tells text from numbers; what is larger is an object or an array.
        # https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
        # https://docs.aws.amazon.com/redshift/latest/dg/unload-super.html
        Kind.JSON: Value(
            "json",
            (
                "CASE WHEN JSON_SIZE({}) <= 65535 THEN JSON_SERIALIZE({}) END",
                "CASE WHEN JSON_SIZE({}) > 65535 THEN {} END",
            ),
        ),
    },
    # Blanks at the end are nothing to = and <>, and a collation may pass over case.
    # https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
    compared={
        Kind.TEXT: "CAST({} AS VARBYTE(65535))",
        Kind.JSON: "JSON_SERIALIZE_TO_VARBYTE({})",
    },
)
