"""Columns of tables and results, in Redshift's words, asked of a client's own session."""

from collections.abc import Sequence

from batch_exports.local.redshift.backend import Backend
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.target import TargetColumn
from batch_exports.local.redshift.wire import ResultColumn

_SIZED = {"varchar", "char", "varbyte"}
_SPELLED = {"bpchar": "char"}
_MOST_DIGITS = 38


async def target_columns(backend: Backend, table: str) -> list[TargetColumn]:
    """The columns of a table by its name as written. Raises Refusal when there is none."""
    literal = table.replace("\\", "\\\\").replace("'", "''")
    found = await backend.execute(
        "SELECT a.attname, t.typname, a.atttypmod, a.attnotnull FROM pg_attribute AS a "
        f"JOIN pg_type AS t ON t.oid = a.atttypid WHERE a.attrelid = to_regclass('{literal}') "
        "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
    if not found.rows:
        raise Refusal("42P01", f"Cannot COPY into nonexistent table {table}")
    rows = [[(value or b"").decode() for value in row] for row in found.rows]
    return [
        _target(name, kind, int(modifier), nulls == "f") for name, kind, modifier, nulls in rows
    ]


async def described(backend: Backend, columns: Sequence[ResultColumn]) -> list[tuple[str, str]]:
    """Name and type of each column of a result, with its dimensions: `numeric(18,2)`."""
    numbers = ", ".join(str(column.type) for column in columns)
    found = await backend.execute(f"SELECT oid, typname FROM pg_type WHERE oid IN ({numbers})")
    kinds = {int(number or b""): (name or b"").decode() for number, name in found.rows}
    targets = [_target(c.name, kinds[c.type], c.modifier, True) for c in columns]
    return [(t.name, f"{t.type}({t.dimension})" if t.dimension else t.type) for t in targets]


def _target(name: str, kind: str, modifier: int, nullable: bool) -> TargetColumn:
    """`modifier` is what PostgreSQL keeps of a type's arguments: four more than they are."""
    kind = _SPELLED.get(kind, kind)
    if kind == "numeric":
        precision, scale = (
            ((modifier - 4) >> 16, (modifier - 4) & 0xFFFF) if modifier > 4 else (_MOST_DIGITS, 0)
        )
        return TargetColumn(name, kind, None, nullable, precision, scale)
    length = modifier - 4 if kind in _SIZED and modifier > 4 else None
    return TargetColumn(name, kind, length, nullable)
