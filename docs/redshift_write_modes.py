"""The page about how rows get into a table of Redshift: statements, locks, S3, rights."""

from typing import get_args

from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rights import right_on_schema
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.dealing import MOST_OPEN_FILES
from batch_exports.destinations.redshift.insert import STATEMENT_BYTES
from batch_exports.destinations.redshift.rights import right_on_database, rights_on_tables
from batch_exports.models import EVENTS
from docs import records
from docs.fields import code, table

_TABLE = TableName("exports", "events")
_STATEMENT = f"{STATEMENT_BYTES // 10**6} MB"
# Statements as they are run, without quotes; `...` stands for what differs. They are compared with
# what a server sees: batch_exports_tests/destinations/redshift/test_reference.py
_STAGE = (
    "DROP TABLE IF EXISTS _batch_exports_stage;",
    "CREATE TEMP TABLE _batch_exports_stage (...);",
)
_STAGED_BY_COPY = (
    *_STAGE,
    "COPY _batch_exports_stage (...) FROM 's3://.../manifest' IAM_ROLE '...'",
    "    MANIFEST FORMAT AS PARQUET STATUPDATE OFF;",
)
_STAGED_BY_INSERT = (*_STAGE, "INSERT INTO _batch_exports_stage (...) VALUES (...);")
_MOVE = "-- rows are moved: see the write modes"
_TRANSACTION = (
    "BEGIN;",
    "LOCK TABLE exports.events_rejects;",
    _MOVE,
    "DELETE FROM exports.events_rejects WHERE export = ... AND interval_start >= ...",
    "    AND interval_end <= ...;",
    "INSERT INTO exports.events_rejects (export, ...) SELECT ... FROM _batch_exports_rejects;",
    "DELETE FROM exports._batch_exports_ledger WHERE table_name = ... AND export = ...",
    "    AND interval_start >= ... AND interval_end <= ...;",
    "INSERT INTO exports._batch_exports_ledger (table_name, ...) VALUES (...);",
    "COMMIT;",
)
_INSERTED = (
    "INSERT INTO exports.events (uuid, ...) SELECT uuid, ..., JSON_PARSE(properties), ...",
    "    FROM _batch_exports_stage;",
)
_REPLACE_RANGE = (
    "DELETE FROM exports.events WHERE _inserted_at >= ... AND _inserted_at < ...;",
    *_INSERTED,
)
_REPLACE_KEY = (
    "DELETE FROM exports.events WHERE EXISTS (SELECT 1 FROM _batch_exports_stage",
    "    WHERE events.uuid = _batch_exports_stage.uuid);",
    "DELETE FROM exports.events WHERE EXISTS (SELECT 1 FROM _batch_exports_rejected_keys",
    "    WHERE events.uuid = _batch_exports_rejected_keys.uuid);",
    *_INSERTED,
)
_MERGE = (
    "CREATE TEMP TABLE _batch_exports_newest AS SELECT ... FROM (SELECT *,",
    "    ROW_NUMBER() OVER (PARTITION BY ... ORDER BY ... DESC NULLS LAST) ...",
    "    FROM _batch_exports_stage) ...;",
    "DELETE FROM _batch_exports_newest USING exports.persons WHERE ...;",
    "MERGE INTO exports.persons USING _batch_exports_newest ON ...",
    "    WHEN MATCHED THEN UPDATE SET ... WHEN NOT MATCHED THEN INSERT (...) VALUES (...);",
    "DROP TABLE _batch_exports_newest;",
)
_APPEND = _INSERTED


def write_modes() -> str:
    return f"""
# Write modes of Redshift

In every mode rows go into a temporary table first, by COPY or by INSERT. What moves them from there
into the table is **one transaction**, with the rejects and the ledger's entry: readers see the
interval as it was before, or complete, and a run that ends before its commit leaves no row behind.
Where only the answer to the commit is lost, the retry replaces what was committed, or finds in the
ledger that there is nothing to add.

{table(("", *(code(mode) for mode in get_args(WriteMode))), _compared())}

These pages were written from the code and tried on an [emulator](../howto/redshift-emulator.md).

## How rows are staged

**`mode: COPY`**. Files lie on S3 only while a run delivers, in a folder of its interval:

```
s3://<bucket_name>/<key_prefix><export>/<start>-<end>/lock.json
s3://<bucket_name>/<key_prefix><export>/<start>-<end>/<random>/<stage>/0000.parquet
s3://<bucket_name>/<key_prefix><export>/<start>-<end>/<random>/<stage>/manifest
```

1. Take the folder's lock. Another run of the interval fails meanwhile, and is tried again.
2. Sweep the folder: delete what a killed run left, and drop its unfinished uploads.
3. Write Parquet files with zstd, as many as the cluster has slices or `stage.files` says, but no
   more than {MOST_OPEN_FILES}; a next round of files begins at 512 MiB. Then the manifest, with
   each file's length to the byte.
4. COPY, and delete these files. Rows that COPY counts, rows in the stage and rows that were sent
   must be as many.
5. Rejects, if there are any, go the same way.
6. When all is done, or has failed: sweep the folder again, and release the lock.

So between runs the folder is empty. What a killed run leaves stays until the next run of the same
interval, or until a rule of the bucket's lifecycle deletes it: let that wait longer than any run
lasts.

{records.sql(_STAGED_BY_COPY)}

**`mode: INSERT`**. Rows are sent as `INSERT` statements of many rows, of up to {_STATEMENT}, into
the same temporary table. There is no lock: where two runs of an interval come at once in the mode
`replace`, the one that is later finds in the ledger that the other one delivered, and is tried
again.

{records.sql(_STAGED_BY_INSERT)}

In both, documents for `SUPER` are staged as `VARBYTE`: read directly into `SUPER`, a whole document
would have to be as short as one string. Rows that [`load_from`](../howto/extract-once.md) loads
straight have no files here: COPY reads those that were delivered.

## The transaction

{records.sql(_TRANSACTION)}

Before it commits, rows are counted: what was staged, what was moved, and by how much the table has
grown. If they differ, nothing is delivered, and the run is tried again. Rows of the table are
deleted, and rejects inserted, where there are any.

**Locks.** The table of rejects is locked first, which is the export's alone: so intervals of one
table are moved one after the other, while others read and write the table. Where the database keeps
transactions apart as
[serializable](https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html), any of
those can end a transaction with the error 1023. There the table and the ledger are locked as well,
before the first look at them: readers of the table wait while rows are moved. Snapshot isolation
spares them that: `ALTER DATABASE ... ISOLATION LEVEL SNAPSHOT`. `batch-exports test` says which of
the two it is.

**Error 1023** all the same, such as by another program that writes to the table: the whole
transaction is run again, up to five times within about a minute. The stage is still there, so that
nothing is read or loaded again. After that the run fails, and is tried again like any whose error
may pass.

## `replace`

The interval's rows take the place of those that were delivered for it before. If the table has the
export's membership column, such as `{_range_column()}` for events, all rows are deleted whose value
there lies in the interval:

{records.sql(_REPLACE_RANGE)}

If rows came before the column did, and so have NULL there, those of them that have the key of a new
row are deleted as well. Two intervals that overlap, as after a change of `interval`, are delivered
one after the other.

### By keys alone

Without the membership column, rows are found by the model's key:

{records.sql(_REPLACE_KEY)}

Redshift shows nobody which transaction wrote a row, as PostgreSQL does. What follows from that, the
ledger tells, and the `row_count` check fails for it:

- `left_behind`: rows of earlier deliveries of the interval, whose keys the source does not have any
  more. They are still in the table.
- `taken_over`: rows that were there under keys of this interval, and which no delivery of the
  interval wrote, such as those of another interval or of yours. They were replaced.

Both are told from the number of rows: those that were deleted, those that the ledger says were
delivered, and those of the table. With the membership column among the columns neither can happen.
To get there, and to be rid of rows that were left behind: empty the table, and materialize its
partitions again.

A table has one export alone: another one that would replace its rows is refused.

## `merge`

The newest row of each key stays, whichever interval it came in. Of several staged rows with one key
the newest counts; it is inserted, or it updates the row that is there, if its versions are greater,
compared one after the other:

{records.versions()}

{records.sql(_MERGE)}

`MERGE` takes no condition beside the key, so that rows which are not newer are taken out of the
stage before. Columns are named, in any order, and other columns of the table stay as they are.

Equal versions change nothing, and an older interval that is delivered later overwrites nothing
newer. Intervals may be delivered in any order, or again. A row that is gone from the source stays
in the table.

## `append`

Rows are added. A partition that is materialized twice stands in the table twice, and its
`row_count` check says so; only a retry within the same run adds nothing.

{records.sql(_APPEND)}

## Rights

Where the user makes the tables it owns them, and needs for that:

```sql
{right_on_schema(_TABLE.schema, create=True).grant("exporter")}
```

Where an administrator makes them, each of these is needed, and no other:

{table(("on", *(code(mode) for mode in get_args(WriteMode))), _rights())}

`TEMPORARY` is everybody's, unless it was revoked from `PUBLIC`. `on_missing_column: add` takes the
table's owner. `setup-sql` prints what an export needs, with the policies for S3:
[first export to Redshift](../howto/redshift.md).
"""


def _range_column() -> str:
    return next(c.name for c in EVENTS.columns if c.source_name == EVENTS.membership[0])


def _compared() -> list[tuple[str, ...]]:
    return [
        ("default for", *records.default_for().values()),
        (
            "an interval again",
            "replaces its rows",
            "changes nothing that is not newer",
            "adds rows",
        ),
        (
            "a key that stands in two intervals",
            "stands twice; once, where only keys tell rows apart",
            "stands once",
            "stands twice",
        ),
        ("needs", "the model's key", "the model's key and versions", "the model's key"),
    ]


def _rights() -> list[tuple[str, ...]]:
    modes: tuple[WriteMode, ...] = get_args(WriteMode)
    rows = {
        "the database": [right_on_database("analytics").privileges for _ in modes],
        "the schema": [right_on_schema(_TABLE.schema, create=False).privileges for _ in modes],
    }
    for name in rights_on_tables(_TABLE, "replace"):
        rows[code(name.name)] = [rights_on_tables(_TABLE, mode)[name].privileges for mode in modes]
    return [
        (on, *(", ".join(map(code, privileges)) for privileges in row)) for on, row in rows.items()
    ]
