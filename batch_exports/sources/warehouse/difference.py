"""The statements by which a warehouse compares a table with what it was: no row leaves it.

Redshift has no IS DISTINCT FROM and no comparison of rows, so that both are told the longer way.
"""

from collections.abc import Iterable, Sequence

from psycopg import sql

from batch_exports.destinations.postgres.table import TableName, identifiers
from batch_exports.sources.warehouse.dialect import Dialect
from batch_exports.sources.warehouse.kinds import FLOATS, Kind, TableColumn
from batch_exports.sources.warehouse.mapping import MappedTable
from batch_exports.sources.warehouse.state import OPERATION, REASON, SYNC

NULL_KEY, DUPLICATE_KEY = "null_key", "duplicate_key"
NO_IDENTIFIER, NOT_FINITE = "no_identifier", "not_finite"
REASONS = {
    NULL_KEY: "a column of the primary key is NULL",
    DUPLICATE_KEY: "other rows have the same primary key",
    NO_IDENTIFIER: "nothing in it tells whom it is about",
    NOT_FINITE: "a number is NaN or infinite, which JSON has not",
}
"""What makes a row invalid. Of several reasons the first counts."""

_OLD, _NEW = "before", "now"


def take_snapshot(
    snapshot: TableName, table: TableName, mapped: MappedTable, dialect: Dialect
) -> sql.Composed:
    """Make a table of the rows as they are, each with the reason why it is invalid, or NULL."""
    return sql.SQL("CREATE TABLE {} AS SELECT {}, {} AS {} FROM {} AS {}").format(
        snapshot.sql,
        identifiers(_names(mapped.columns), of=_NEW),
        reason(mapped, dialect, _NEW),
        sql.Identifier(REASON),
        table.sql,
        sql.Identifier(_NEW),
    )


def reason(
    mapped: MappedTable, dialect: Dialect, of: str, *, duplicates: bool = True
) -> sql.Composed:
    """Why a row of the relation `of` is invalid; NULL for a valid one."""
    keys = identifiers(_names(mapped.key), of=of)
    cases = [
        (_any(sql.SQL("{} IS NULL").format(key) for key in _columns(mapped.key, of)), NULL_KEY)
    ]
    if duplicates:
        copies = sql.SQL("COUNT(*) OVER (PARTITION BY {}) > 1").format(keys)
        cases.append((copies, DUPLICATE_KEY))
    known = [identifier(column, dialect, of) for column in mapped.identifiers.values()]
    nobody = sql.SQL(" AND ").join(sql.SQL("{} IS NULL").format(one) for one in known)
    cases.append((nobody, NO_IDENTIFIER))
    wild = [test for column in mapped.columns if (test := _not_finite(column, dialect, of))]
    if wild:
        cases.append((_any(wild), NOT_FINITE))
    whens = (sql.SQL("WHEN {} THEN {}").format(test, sql.Literal(why)) for test, why in cases)
    return sql.SQL("CAST(CASE {} END AS VARCHAR(16))").format(sql.SQL(" ").join(whens))


def identifier(column: TableColumn, dialect: Dialect, of: str) -> sql.Composed:
    """The text of an identifier; one of blanks identifies nobody, and is NULL."""
    text = dialect.as_text(column, of)
    return sql.SQL("CASE WHEN TRIM({}) <> '' THEN {} END").format(text, text)


def make_changes(
    made: TableName, snapshot: TableName, mapped: MappedTable, *, what: str
) -> sql.Composed:
    """Make the empty table of a generation's rows: changed ones (`what` is OPERATION), or invalid
    ones (REASON). Its columns have the table's own types."""
    return sql.SQL(
        "CREATE TABLE {} AS SELECT CAST(0 AS BIGINT) AS {}, CAST('' AS VARCHAR(16)) AS {}, {} "
        "FROM {} WHERE 1 = 0"
    ).format(
        made.sql,
        sql.Identifier(SYNC),
        sql.Identifier(what),
        identifiers(_names(mapped.columns)),
        snapshot.sql,
    )


def keep_rejects(
    rejects: TableName, snapshot: TableName, mapped: MappedTable, sync: int
) -> sql.Composed:
    """Put the invalid rows of a snapshot aside."""
    return _insert(rejects, REASON, mapped.columns, sync, sql.Identifier(_NEW, REASON), _NEW) + (
        sql.SQL(" FROM {} WHERE {} IS NOT NULL").format(
            _as(snapshot, _NEW), sql.Identifier(_NEW, REASON)
        )
    )


def keep_all(delta: TableName, snapshot: TableName, mapped: MappedTable, sync: int) -> sql.Composed:
    """All valid rows of a snapshot."""
    return _insert(delta, OPERATION, mapped.columns, sync, sql.Literal("insert"), _NEW) + (
        sql.SQL(" FROM {} WHERE {} IS NULL").format(
            _as(snapshot, _NEW), sql.Identifier(_NEW, REASON)
        )
    )


def keep_changed(
    delta: TableName,
    snapshot: TableName,
    before: TableName,
    mapped: MappedTable,
    dialect: Dialect,
    sync: int,
) -> sql.Composed:
    """The valid rows of a snapshot that are new, or differ from those before."""
    was_there = sql.Identifier(_OLD, mapped.key[0].name)
    operation = sql.SQL("CASE WHEN {} IS NULL THEN 'insert' ELSE 'update' END").format(was_there)
    others = [column for column in mapped.columns if column not in mapped.key]
    # Keys that are the same to = may differ as well, such as by blanks at the end.
    texts = [column for column in mapped.key if column.kind is Kind.TEXT]
    differs = _any(
        [
            sql.SQL("{} IS NULL").format(was_there),
            *(_differs(column, dialect) for column in [*others, *texts]),
        ]
    )
    return _insert(delta, OPERATION, mapped.columns, sync, operation, _NEW) + (
        sql.SQL(" FROM {} LEFT JOIN {} ON {} WHERE {} IS NULL AND ({})").format(
            _as(snapshot, _NEW),
            _as(before, _OLD),
            _same_key(mapped.key),
            sql.Identifier(_NEW, REASON),
            differs,
        )
    )


def keep_vanished(
    delta: TableName,
    snapshot: TableName,
    before: TableName,
    was: MappedTable,
    mapped: MappedTable,
    dialect: Dialect,
    sync: int,
) -> sql.Composed:
    """What was there before, by the mapping `was`, and is not among the rows any more, invalid ones
    included: its key, and whom it was about. Keys of other types are compared as the text that a
    record is known by."""
    if was.key == mapped.key:
        same = _same_key(mapped.key)
    elif not _comparable(was, mapped, dialect):
        same = sql.Composed([sql.SQL("1 = 0")])
    else:
        same = sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(dialect.as_text(old, _OLD), dialect.as_text(new, _NEW))
            for old, new in zip(was.key, mapped.key, strict=True)
        )
    return _insert(delta, OPERATION, was.told, sync, sql.Literal("delete"), _OLD) + (
        sql.SQL(" FROM {} LEFT JOIN {} ON {} WHERE {} IS NULL").format(
            _as(before, _OLD),
            _as(snapshot, _NEW),
            same,
            sql.Identifier(_NEW, mapped.key[0].name),
        )
    )


def carry_over(snapshot: TableName, before: TableName, mapped: MappedTable) -> sql.Composed:
    """What an invalid row was as long as it was valid stays in the snapshot, since that is what was
    delivered: that it vanishes can be found later."""
    keys = identifiers(_names(mapped.key))
    return sql.SQL(
        "INSERT INTO {} ({}) SELECT {} FROM {} JOIN (SELECT DISTINCT {} FROM {} WHERE {} IS NOT "
        "NULL) AS {} ON {}"
    ).format(
        snapshot.sql,
        identifiers(_names(mapped.columns)),
        identifiers(_names(mapped.columns), of=_OLD),
        _as(before, _OLD),
        keys,
        snapshot.sql,
        sql.Identifier(REASON),
        sql.Identifier(_NEW),
        _same_key(mapped.key),
    )


def drop_invalid(snapshot: TableName) -> sql.Composed:
    return sql.SQL("DELETE FROM {} WHERE {} IS NOT NULL").format(
        snapshot.sql, sql.Identifier(REASON)
    )


def drop_table(table: TableName) -> sql.Composed:
    return sql.SQL("DROP TABLE {}").format(table.sql)


def count_by(table: TableName, syncs: Sequence[int]) -> sql.Composed:
    """How many rows there are of each of these syncs."""
    return sql.SQL("SELECT {}, COUNT(*) FROM {} WHERE {} IN ({}) GROUP BY 1").format(
        sql.Identifier(SYNC),
        table.sql,
        sql.Identifier(SYNC),
        sql.SQL(", ").join(map(sql.Literal, syncs)),
    )


def count_in(table: TableName, what: str, sync: int) -> sql.Composed:
    """How many rows of a sync there are of each operation, or reason."""
    return sql.SQL("SELECT {}, COUNT(*) FROM {} WHERE {} = {} GROUP BY 1").format(
        sql.Identifier(what), table.sql, sql.Identifier(SYNC), sql.Literal(sync)
    )


def some_keys(rejects: TableName, mapped: MappedTable, dialect: Dialect, sync: int) -> sql.Composed:
    """The keys of some of the rows that a sync found invalid, as text."""
    return sql.SQL("SELECT {} FROM {} WHERE {} = {} ORDER BY {} LIMIT 5").format(
        sql.SQL(", ").join(dialect.as_text(column, _NEW) for column in mapped.key),
        _as(rejects, _NEW),
        sql.Identifier(SYNC),
        sql.Literal(sync),
        identifiers(_names(mapped.key), of=_NEW),
    )


def _insert(
    into: TableName,
    what: str,
    columns: Sequence[TableColumn],
    sync: int,
    value: sql.Composable,
    of: str,
) -> sql.Composed:
    names = _names(columns)
    return sql.SQL("INSERT INTO {} ({}) SELECT {}, {}, {}").format(
        into.sql,
        identifiers([SYNC, what, *names]),
        sql.Literal(sync),
        value,
        identifiers(names, of=of),
    )


def _differs(column: TableColumn, dialect: Dialect) -> sql.Composed:
    """NULL is the same as NULL, and as nothing else."""
    old, new = (sql.Identifier(of, column.name) for of in (_OLD, _NEW))
    return sql.SQL(
        "{} <> {} OR ({} IS NULL AND {} IS NOT NULL) OR ({} IS NOT NULL AND {} IS NULL)"
    ).format(dialect.comparable(column, _OLD), dialect.comparable(column, _NEW), old, new, old, new)


def _same_key(key: Sequence[TableColumn]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(
            sql.Identifier(_OLD, column.name), sql.Identifier(_NEW, column.name)
        )
        for column in key
    )


def _comparable(was: MappedTable, mapped: MappedTable, dialect: Dialect) -> bool:
    """Whether a record may be known by the same text as before. Of several columns it is a JSON
    array, in which numbers and texts differ."""
    forms = [[dialect.value(column).form for column in one.key] for one in (was, mapped)]
    return forms[0] == forms[1] or (len(was.key) == 1 and len(mapped.key) == 1)


def _not_finite(column: TableColumn, dialect: Dialect, of: str) -> sql.Composed | None:
    name = sql.Identifier(of, column.name)
    if column.kind in FLOATS:
        # What NaN is equal to differs; infinities differ from all finite numbers.
        return sql.SQL(
            "{0} <> {0} OR {0} = CAST('NaN' AS {1}) OR ABS({0}) = CAST('Infinity' AS {1})"
        ).format(name, sql.SQL("REAL" if column.kind is Kind.REAL else "DOUBLE PRECISION"))
    if column.kind is Kind.DECIMAL and dialect.name == "postgres":
        return sql.SQL("CAST({} AS text) IN ('NaN', 'Infinity', '-Infinity')").format(name)
    return None


def _any(tests: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(" OR ").join(tests)


def _columns(columns: Iterable[TableColumn], of: str) -> list[sql.Identifier]:
    return [sql.Identifier(of, column.name) for column in columns]


def _names(columns: Iterable[TableColumn]) -> list[str]:
    return [column.name for column in columns]


def _as(table: TableName, alias: str) -> sql.Composed:
    return sql.SQL("{} AS {}").format(table.sql, sql.Identifier(alias))
