"""Types that a user chooses for columns of tables that are made."""

from collections.abc import Callable, Mapping

from batch_exports.destinations.postgres import types as postgres
from batch_exports.destinations.redshift import types as redshift
from batch_exports.errors import ConfigurationError
from batch_exports.models import Column, type_name

_CAN_BE_MADE: Mapping[str, Callable[[str, Column], bool]] = {
    "postgres": lambda written, column: postgres.can_be_made(written, column.type),
    "redshift": redshift.can_be_made,
}
_CHOICES: Mapping[str, Callable[[Column], list[str]]] = {
    "postgres": lambda column: postgres.types_to_make(column.type),
    "redshift": redshift.types_to_make,
}


def check_types(path: str, column: Column) -> None:
    """Raises `ConfigurationError` for the field `path` where a type of the column is none that
    holds its values."""
    for kind, written in column.types.items():
        if kind not in _CAN_BE_MADE:
            raise ConfigurationError(
                path,
                f"{kind!r} is no kind of destination with types of its own.",
                remedy=f"There is: {', '.join(_CAN_BE_MADE)}.",
            )
        if not _CAN_BE_MADE[kind](written, column):
            raise ConfigurationError(
                f"{path}.{kind}",
                f"{written!r} does not hold {type_name(column.type)} unchanged.",
                remedy=f"Use {', '.join(_CHOICES[kind](column))}, with a length or digits where "
                "the type has them.",
            )
