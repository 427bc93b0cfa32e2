"""Pages about what lands in PostgreSQL: tables, types, write modes and the rights they take."""

from collections.abc import Mapping
from typing import get_args

import pyarrow as pa

from batch_exports.destinations.postgres import ledger, rejects
from batch_exports.destinations.postgres.preparation import WriteMode, create_table
from batch_exports.destinations.postgres.rights import (
    right_on_database,
    right_on_schema,
    rights_on_tables,
)
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.postgres.types import holds, made_type
from batch_exports.models import EVENTS, MODELS, PERSONS, Column, Model, Projection, type_name
from batch_exports.models.declared_types import VOCABULARY
from docs import records
from docs.fields import code, table

_TABLE = TableName("exports", "events")
# Types of PostgreSQL's that a user may have given a column, by `pg_type.typname`.
_SQL_NAMES: Mapping[str, str] = {
    "jsonb": "jsonb",
    "json": "json",
    "text": "text",
    "varchar": "varchar(n)",
    "bpchar": "char(n)",
    "uuid": "uuid",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "numeric": "numeric",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp",
    "date": "date",
    "_text": "text[]",
    "_varchar": "varchar(n)[]",
}
_LEDGER: Mapping[str, str] = {
    **records.LEDGER,
    "bytes": "bytes of the delivered rows, as COPY takes them",
    "content_sha256": "their SHA-256, in hex",
    "missing_columns": "columns of the export that the table lacked",
    "table_identity": "tells this very table from another of its name",
    "transaction_id": "the transaction, by which its rows are found again",
    "first_block": "where in the table they were put; NULL if not known",
    "end_block": "up to before this block",
    "unknown_rows": "whether the table had rows of deliveries that this table no longer told of",
}


def tables() -> str:
    names = [code(name.name) for name in rights_on_tables(_TABLE, "replace")]
    return f"""
# Tables in PostgreSQL

An export to `{_TABLE.schema}.{_TABLE.name}` needs three tables: {", ".join(names)}.
Each is made by the first delivery that misses it, or
[by an administrator](../howto/postgres.md#the-tables). The ledger is one for all exports to the
schema. Rows, rejects and the ledger's entry of a delivery are written in one transaction.

## The export's table

As it is made for {EVENTS.name}:

{records.sql(_created(EVENTS, "replace"))}

and for {PERSONS.name}, which are merged by their key:

{records.sql(_created(PERSONS, "merge"))}

Where `{_inserted_at().name}` is among the export's `columns`, the table gets an index on it, and
an interval's rows are found by it:

{records.sql(_created(EVENTS, "replace", "_inserted_at")[-1:])}

A table of your own may have other columns beside the export's, if they take NULL or have a default,
other indexes, constraints, triggers, and partitions. What it must have: the model's key among its
columns, where rows are merged also their versions and a primary key or unique index on the key.

A column that the table lacks is left out, and the `schema` check says so: see `on_missing_column`
in [exports](exports.md#batch_exportspostgresbatchexport).

## Types

{table(("type", "made as, unless the model says otherwise", "may be"), _types())}

Any other type is an error before anything is read, as it would change values: a `real` for a
`double`, a `timestamp` without a zone, a `char(n)`, and a `timestamp(n)` of fewer than six digits.
Of a narrower type, such as `varchar(200)`, each value that is too large is
[rejected](../howto/rejects.md). A domain counts as what it is made of. Models' own types are in
[models](models.md).

`jsonb` keeps values, not spelling: see [limits](../limits.md). A column of `json` or `text` keeps
JSON as it is written.

## The ledger

`{ledger.LEDGER}` has an entry for each interval that was delivered:

{table(("column", "type", "meaning"), records.described(ledger.DEFINITION, _LEDGER))}

The primary key is of the first four. What was delivered last night:

```sql
SELECT table_name, interval_start, rows, rejected, replaced, delivered_at
FROM {_TABLE.schema}.{ledger.LEDGER}
WHERE delivered_at > now() - interval '1 day'
ORDER BY delivered_at;
```

## Rejects

`{rejects.rejects_of("<table>")}` has a row for each value that cannot be held:

{table(("column", "type", "meaning"), records.described(rejects.DEFINITION, records.REJECTS))}

Materializing an interval again replaces its rejects as well. Which values these are:
[rejects](../howto/rejects.md).
"""


def write_modes() -> str:
    return f"""
# Write modes of PostgreSQL

In every mode a delivery is **one transaction**: readers see the interval as it was before, or
complete, and a run that ends before its commit leaves no row behind. Where only the answer to the
commit is lost, the retry replaces what was committed, or finds in the ledger that there is nothing
to add. **One run at a time** delivers an interval: another one waits for it, as long as the
connection's `lock_timeout_seconds`, then fails and is tried again.

{table(("", *(code(mode) for mode in get_args(WriteMode))), _compared())}

## `replace`

The interval's rows take the place of those that were delivered for it before.

- If the table has the export's membership column, such as `_inserted_at` for events, all rows are
  deleted whose value there lies in the interval, and the new ones are written by COPY. If rows
  came before the column did, and so have NULL there, the second way is gone as well.
- Otherwise those rows are deleted that the transactions of earlier deliveries of the interval
  wrote, which the ledger knows. The new ones are written by COPY, if no other row of the table can
  be the interval's: the export made the table, or an administrator by `setup-sql`, and the ledger
  knows all its rows. Else they are staged in a temporary table, and rows with the same key go as
  well, but for those that deliveries of other intervals wrote.

So a table without the membership column, in which others have changed rows or which came out of a
dump, still gets each row once; finding out takes longer. A table has one export alone: another one
that would replace its rows is refused.

## `merge`

The newest row of each key stays, whichever interval it came in. The interval's rows are staged in a
temporary table; of several with one key the newest counts. It is inserted, or it updates the row
that is there, if its versions are greater, compared one after the other:

{records.versions()}

Equal versions change nothing, and an older interval that is delivered later overwrites nothing
newer. Intervals may be delivered in any order, or again.

A row that is gone from the source stays in the table.

## `append`

Rows are added. A partition that is materialized twice stands in the table twice, and its
`row_count` check says so; only a retry within the same run adds nothing.

## Several connections

`parallelism` lets several connections load one interval into unlogged tables of the schema, out of
which the one transaction then moves the rows. These stages are dropped at its end; those of a run
that was killed, by the next run of the interval. It needs `CREATE` on the schema in any case.

## Rights

Where the user makes the tables it owns them, and needs for that:

```sql
{right_on_schema(_TABLE.schema, create=True).grant("exporter")}
```

Where an administrator makes them, each of these is needed, and no other:

{table(("on", *(code(mode) for mode in get_args(WriteMode))), _rights())}

`CONNECT` and `TEMPORARY` are everybody's, unless they were revoked from `PUBLIC`. `append` does
without `TEMPORARY` where the table has the membership column. `setup-sql` prints what an export
needs: see [setting up PostgreSQL](../howto/postgres.md).
"""


def _created(model: Model, mode: WriteMode, *more: str) -> list[str]:
    columns = model.select((*model.default_columns["postgres"], *more), "postgres")
    projection = Projection(model, columns, model.membership[0])
    name = TableName(_TABLE.schema, model.name)
    made = create_table(name, f"{model.name}_table", projection, mode)
    return [f"{statement.as_string()};" for statement in made]


def _inserted_at() -> Column:
    return next(column for column in EVENTS.columns if column.source_name == EVENTS.membership[0])


def _types() -> list[tuple[str, str, str]]:
    known: dict[str, pa.DataType] = {
        type_name(column.type): column.type for model in MODELS.values() for column in model.columns
    }
    known |= {type_name(declared.arrow): declared.arrow for declared in VOCABULARY.values()}
    return [
        (
            code(name),
            code(made_type(Column("c", type_, ""))),
            ", ".join(code(shown) for t, shown in _SQL_NAMES.items() if holds(t, type_)),
        )
        for name, type_ in known.items()
    ]


def _compared() -> list[tuple[str, ...]]:
    return [
        ("default for", *records.default_for().values()),
        (
            "an interval again",
            "replaces its rows",
            "changes nothing that is not newer",
            "adds rows",
        ),
        ("a key that stands in two intervals", "stands twice", "stands once", "stands twice"),
        ("needs", "the model's key", "a primary key, and versions", "the model's key"),
    ]


def _rights() -> list[tuple[str, ...]]:
    modes: tuple[WriteMode, ...] = get_args(WriteMode)
    events = Projection(EVENTS, EVENTS.select((), "postgres"), EVENTS.membership[0])
    database = [right_on_database("analytics", events, mode).privileges for mode in modes]
    schema = [right_on_schema(_TABLE.schema, create=False).privileges for _ in modes]
    rows = {"the database": database, "the schema": schema}
    for name in rights_on_tables(_TABLE, "replace"):
        rows[code(name.name)] = [rights_on_tables(_TABLE, mode)[name].privileges for mode in modes]
    return [
        (on, *(", ".join(map(code, privileges)) for privileges in row)) for on, row in rows.items()
    ]
