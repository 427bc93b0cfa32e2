"""The page about what lands in Redshift: tables, types and limits, ledger and rejects."""

from collections.abc import Mapping

import pyarrow as pa

from batch_exports.destinations.postgres.ledger import LEDGER
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift import ledger, rejects
from batch_exports.destinations.redshift.fit import Fit, fit
from batch_exports.destinations.redshift.insert import STATEMENT_BYTES, InsertLoader
from batch_exports.destinations.redshift.layout import layout
from batch_exports.destinations.redshift.preparation import Design, create_table
from batch_exports.destinations.redshift.rights import rights_on_tables
from batch_exports.destinations.redshift.table import Table, TableColumn
from batch_exports.destinations.redshift.types import MOST_VARCHAR_BYTES, holds, made_type
from batch_exports.models import EVENTS, MODELS, PERSONS, Column, Model, Projection, type_name
from batch_exports.models.declared_types import VOCABULARY
from batch_exports.transform.capabilities import SuperLimits
from batch_exports.transform.super import MOST_DIGITS, MOST_DIGITS_AFTER_POINT
from docs import records
from docs.fields import code, table

_TABLE = TableName("exports", "events")
# Types that a user may have given a column, by `svv_columns.data_type`.
_SQL_NAMES: Mapping[str, str] = {
    "super": "super",
    "character varying": "varchar(n)",
    "smallint": "smallint",
    "integer": "integer",
    "bigint": "bigint",
    "numeric": "numeric",
    "real": "real",
    "double precision": "double precision",
    "boolean": "boolean",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "date": "date",
}
_LEDGER: Mapping[str, str] = {
    **records.LEDGER,
    "bytes": "bytes of the files that COPY loaded, or of the values of the INSERT statements",
    "content_sha256": "in hex: of the SHA-256 of these files, or of these values",
    "missing_columns": "columns of the export that the table lacked, as a JSON array",
    "left_behind": "rows of earlier deliveries of the interval that could not be found",
    "taken_over": "rows that this delivery replaced, and none before it of the interval wrote",
    "delivered_at": "when the entry was written, by the clock of the machine that delivers",
}
_REJECTS: Mapping[str, str] = {
    **records.REJECTS,
    "number": "tells findings of one delivery apart",
    "part": "the row's place among those of one finding, from 0",
}
# Its lines are tried: batch_exports_tests/destinations/redshift/test_reference.py
_PUT_TOGETHER = '''
from itertools import groupby

cursor = connection.cursor()
cursor.execute("""
    SELECT run_id, "number", part, action, column_name, reason,
           row_key, FROM_VARBYTE(original, 'hex'), "row"
    FROM exports.events_rejects
    WHERE export = 'events_table' AND interval_start = '2026-11-01 10:00:00+00'
    ORDER BY run_id, "number", part
""")
for _, parts in groupby(cursor.fetchall(), key=lambda part: tuple(part[:2])):
    *_, action, column, reason, keys, originals, rows = zip(*parts)
    original = bytes.fromhex("".join(part or "" for part in originals))
    print(action[0], column[0], reason[0], "".join(keys), original, "".join(rows))
'''.strip()


def tables() -> str:
    names = [code(name.name) for name in rights_on_tables(_TABLE, "replace")]
    others = [model for model in MODELS.values() if model not in (EVENTS, PERSONS)]
    return f"""
# Tables in Redshift

An export to `{_TABLE.schema}.{_TABLE.name}` needs three tables: {", ".join(names)}.
Each is made by the first delivery that misses it, or
[by an administrator](../howto/redshift.md#2-user-schema-and-rights). The ledger is one for all
exports to the schema. Rows, rejects and the ledger's entry of a delivery are written in one
transaction.

## The export's table

As it is made for {EVENTS.name}, and for {PERSONS.name}:

{records.sql([_created(EVENTS), "", _created(PERSONS)])}

[Those of the other models](#tables-of-the-other-models) stand below. No key is declared: Redshift
[enforces none](https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html). What
keeps rows single is the [write mode](redshift-write-modes.md).

A table of your own may have other columns beside the export's, if they take NULL or have a default,
and whatever keys and encodings you gave it. What it must have: the model's key among its columns,
and where rows are merged also their versions. It is a table: not a view, nor an external one.

A column that the table lacks is left out, and the `schema` check says so: see `on_missing_column`
in [exports](exports.md#batch_exportsredshiftbatchexport).

## Layout

Where the export names no `dist_key` and no `sort_key`, a table that is made has those of its model,
as far as the columns are exported:

{table(("model", "`DISTKEY`", "`COMPOUND SORTKEY`"), _layouts())}

Rows of one user lie on one slice, so that joins of events, persons and sessions need no other; and
in the order of time, by which they are mostly asked for. Encodings are Redshift's choice. Both keys
count when the table is made: change them later by `ALTER TABLE ... ALTER DISTKEY` and
`ALTER SORTKEY`.

## Types

{table(("type", "made as, unless the model says otherwise", "may be"), _types())}

JSON is made `SUPER`, or with `semi_structured_type: VARCHAR({MOST_VARCHAR_BYTES})` text. A list is
an array in `SUPER`, and a JSON array as text in a `VARCHAR`. `SUPER` keeps values, not spelling:
see [limits](../limits.md).

A `timestamp` has no zone. It is taken for the columns of the Amplitude models, whose times are
agreed to be UTC, and for no others: there it is an error, as is any other type, before anything is
read, since it would change values.

## Limits

What a column cannot hold is [replaced or rejected](../howto/rejects.md), and never cut:

{table(("value", "is held"), _limits())}

A column of your table takes more after `ALTER TABLE ... ALTER COLUMN ... TYPE varchar(...)`.

## The ledger

`{LEDGER}` has an entry for each interval that was delivered:

{table(("column", "type", "meaning"), records.described(ledger.DEFINITION, _LEDGER))}

What was delivered last night, and what needs a look:

```sql
SELECT table_name, interval_start, "rows", rejected, replaced, left_behind, taken_over
FROM {_TABLE.schema}.{LEDGER}
WHERE delivered_at > GETDATE() - INTERVAL '1 day'
ORDER BY delivered_at;
```

What `left_behind` and `taken_over` mean: [write modes](redshift-write-modes.md#by-keys-alone).

## Rejects

`{rejects_of("<table>")}` has one or more rows for each value that cannot be held:

{table(("column", "type", "meaning"), records.described(rejects.DEFINITION, _REJECTS))}

A finding whose `row_key`, `original` or `row` is longer than {MOST_VARCHAR_BYTES // 2:,} bytes,
half of what a `VARCHAR` takes, is written in parts: as many rows, with one `number`, as its longest
text needs. The shorter ones are empty in the last of these. Most findings have one part, whose
`part` is 0. In Python, with any driver:

```python
{_PUT_TOGETHER}
```

Materializing an interval again replaces its rejects as well.

## Tables of the other models

{records.sql(_spaced(others))}
"""


def _created(model: Model) -> str:
    projection = Projection(model, model.select((), "redshift"), model.membership[0])
    name = TableName(_TABLE.schema, model.name)
    return f"{create_table(name, projection, Design()).as_string()};"


def _spaced(models: list[Model]) -> list[str]:
    return "\n\n".join(map(_created, models)).splitlines()


def _layouts() -> list[tuple[str, ...]]:
    rows = []
    for model in MODELS.values():
        lie = layout(Projection(model, model.columns, model.membership[0]))
        rows.append((model.name, code(lie.dist_key), ", ".join(map(code, lie.sort_key))))
    return rows


def _types() -> list[tuple[str, str, str]]:
    known: dict[str, pa.DataType] = {
        type_name(column.type): column.type for model in MODELS.values() for column in model.columns
    }
    known |= {type_name(declared.arrow): declared.arrow for declared in VOCABULARY.values()}
    plain = {name: Column("c", type_, "") for name, type_ in known.items()}
    return [
        (
            code(name),
            code(made_type(column)),
            ", ".join(code(shown) for t, shown in _SQL_NAMES.items() if holds(t, column)),
        )
        for name, column in plain.items()
    ]


def _fit() -> Fit:
    """Of a table that has the key of events alone."""
    key = TableColumn("uuid", "character varying", "varchar(200)", 200, None, None, False, False)
    events = Projection(EVENTS, EVENTS.select((), "redshift"), EVENTS.membership[0])
    return fit(
        events, Table([key]), _TABLE, merge=False, row_bytes=None, super_limits=SuperLimits()
    )


def _limits() -> list[tuple[str, str]]:
    limits = SuperLimits()
    years = _fit().capabilities.years
    assert years
    by_insert = InsertLoader(backslash_escapes=True).row_bytes
    return [
        ("text in `VARCHAR(n)`", f"up to n bytes of UTF-8, {MOST_VARCHAR_BYTES:,} at most"),
        (
            f"JSON or a list in `VARCHAR({MOST_VARCHAR_BYTES})`",
            f"whole documents of up to {MOST_VARCHAR_BYTES:,} bytes",
        ),
        ("a document in `SUPER`", f"up to {limits.document_bytes:,} bytes as text"),
        (
            "a string in it, or a name",
            f"up to {limits.string_bytes:,} bytes; 16,000,000 where large strings are enabled for "
            "the account, which is asked of it",
        ),
        (
            "nesting in it",
            f"up to {limits.levels:,} levels; JSON is proven to some 900, see "
            "[limits](../limits.md)",
        ),
        (
            "a number in it",
            f"a decimal of {MOST_DIGITS} digits, {MOST_DIGITS_AFTER_POINT} of them after the "
            "point, or what a double has without rounding",
        ),
        ("U+0000 in text or JSON", "never: U+FFFD takes its place, or the row is rejected"),
        ("integers and decimals", "what the column's type holds"),
        ("times", f"years {years[0]} to {years[1]}"),
        (
            "a row by `mode: INSERT`",
            f"up to {by_insert:,} bytes, as a statement has {STATEMENT_BYTES // 10**6} MB; by COPY "
            "there is no such limit",
        ),
    ]
