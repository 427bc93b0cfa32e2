"""Names of columns that a server cannot have in a table."""

from collections.abc import Callable

from batch_exports.errors import ConfigurationError
from batch_exports.sources.source import Selection

# https://www.postgresql.org/docs/current/ddl-system-columns.html
_OF_THE_SYSTEM = frozenset({"oid", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_LEAVE_OUT = "Leave it out of the export's columns, or give it another name at the source."


def check_column_names(
    selection: Selection, server: str, *, longest: int, kept: Callable[[str], str]
) -> None:
    """Raises `ConfigurationError` for a column whose name has more than `longest` bytes in UTF-8,
    or is another one once it is `kept` there."""
    for name in (column.name for column in selection.columns):
        if len(name.encode()) > longest:
            raise ConfigurationError(
                "columns",
                f"{name!r} has {len(name.encode())} bytes, and names on {server} {longest}.",
                remedy=_LEAVE_OUT,
            )
        if kept(name) != name:
            raise ConfigurationError(
                "columns", f"{name!r} is {kept(name)!r} to {server}.", remedy=_LEAVE_OUT
            )
        if name in _OF_THE_SYSTEM:
            raise ConfigurationError(
                "columns", f"{name!r} is a column of the system on {server}.", remedy=_LEAVE_OUT
            )
