"""How a table that is there fits an export, in words."""

from collections.abc import Mapping

from psycopg import sql

from batch_exports.destinations.existing_table import OnMissingColumn
from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import Terminal
from batch_exports.probe import Finding, passed, warning


def told(
    name: TableName,
    *,
    columns: int,
    missing: Mapping[str, str],
    on_missing_column: OnMissingColumn,
    owner: bool,
    user: str,
) -> Finding:
    """`missing` are columns that the table lacks, each with the statement that adds it; `columns`
    is how many it has. `owner` says whether it is the user's own."""
    if not missing:
        return passed(f"{name} has all {columns} columns")
    lacks = f"{name} lacks {', '.join(map(repr, missing))}"
    adding = " ".join(f"{statement};" for statement in missing.values())
    if on_missing_column == "ignore":
        return warning(f"{lacks}: left out of deliveries.", remedy=f"To have it, run: {adding}")
    if on_missing_column == "fail":
        raise Terminal(
            f"{lacks}, and on_missing_column is fail.",
            remedy=f"Leave it out of the export's columns, or run: {adding}",
        )
    if not owner:
        raise Terminal(
            f"{lacks}, which only its owner may add.",
            remedy="Let an administrator run: "
            f"ALTER TABLE {name.sql.as_string()} OWNER TO {sql.Identifier(user).as_string()};",
        )
    return passed(f"{lacks}: the next delivery adds it")
