"""A model that a user declares, made of plain data."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from batch_exports.errors import ConfigurationError
from batch_exports.models.declared_types import VOCABULARY, DeclaredType, declared_type
from batch_exports.models.model import Column, Model
from batch_exports.models.origin import Query, Table

# Under these names originals of rows are kept that were rejected or changed.
_TAKEN = ("_action", "_column", "_reason")
# No name of a member in JSON lines may be told by one of the first two, nor one of a column in a
# statement with values by the third.
_UNFIT = '"\\%'


@dataclass(frozen=True)
class DeclaredColumn:
    """`type` is of the vocabulary. `types` are those of columns in tables that are made, by kind of
    destination, where they are not the type's own."""

    name: str
    type: str
    description: str | None = None
    nullable: bool = True
    types: Mapping[str, str] = field(default_factory=dict)


def declared_model(
    name: str,
    description: str,
    columns: Sequence[DeclaredColumn],
    *,
    key: Sequence[str],
    versions: Sequence[str],
    membership: Sequence[str],
    origin: Table | Query,
) -> Model:
    """Destinations without default columns of their own get all, in this order.

    Raises `ConfigurationError`, naming the field such as `columns.1.type`, for what does not fit.
    """
    _check_names([column.name for column in columns])
    types = {
        column.name: declared_type(column.type, f"columns.{number}.type")
        for number, column in enumerate(columns)
    }
    _check_key(key, columns, types)
    _check_versions(versions, key, columns, types)
    _check_membership(membership, types)
    return Model(
        name=name,
        description=description,
        columns=tuple(
            Column(
                column.name,
                types[column.name].arrow,
                column.description or "",
                nullable=column.nullable,
                types={**types[column.name].types, **_in_capitals(column.types)},
            )
            for column in columns
        ),
        key=tuple(key),
        versions=tuple(versions),
        membership=tuple(membership),
        default_columns={},
        origin=origin,
    )


def _in_capitals(types: Mapping[str, str]) -> dict[str, str]:
    """SQL's types as the others are written."""
    return {kind: " ".join(type_.upper().split()) for kind, type_ in types.items()}


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ConfigurationError("columns", "there is none.", remedy="Give one or more.")
    seen: dict[str, str] = {}
    for number, name in enumerate(names):
        path = f"columns.{number}.name"
        if not name.strip() or not name.isprintable() or name != name.strip():
            raise ConfigurationError(path, f"{name!r} is not a name.", remedy="Correct it.")
        if unfit := [character for character in _UNFIT if character in name]:
            raise ConfigurationError(
                path,
                f"{name!r} has the character {unfit[0]}, which not every file and table takes.",
                remedy="Give it another name at the source.",
            )
        if name in _TAKEN:
            raise ConfigurationError(
                path,
                f"{name!r} is a column of rejects.",
                remedy="Give it another name at the source.",
            )
        other = seen.setdefault(name.lower(), name)
        if number != len(seen) - 1:
            raise ConfigurationError(
                path,
                f"{name!r} is there twice."
                if other == name
                else f"{name!r} and {other!r} differ in capitals alone, and are one to Redshift.",
                remedy="Give each column a name of its own.",
            )


def _check_key(
    key: Sequence[str], columns: Sequence[DeclaredColumn], types: Mapping[str, DeclaredType]
) -> None:
    if not key:
        raise ConfigurationError(
            "key", "it is empty.", remedy="Name the columns that tell rows apart."
        )
    _check_list("key", key, types)
    _check_required("key", key, columns)
    _check_types("key", key, types, {name: one for name, one in VOCABULARY.items() if one.in_keys})


def _check_versions(
    versions: Sequence[str],
    key: Sequence[str],
    columns: Sequence[DeclaredColumn],
    types: Mapping[str, DeclaredType],
) -> None:
    _check_list("versions", versions, types)
    if both := [name for name in versions if name in key]:
        raise ConfigurationError(
            "versions",
            f"{both[0]!r} is part of the key, by which rows are told apart.",
            remedy="Name columns that grow when a row changes.",
        )
    _check_required("versions", versions, columns)
    _check_types(
        "versions", versions, types, {name: one for name, one in VOCABULARY.items() if one.ordered}
    )


def _check_membership(membership: Sequence[str], types: Mapping[str, DeclaredType]) -> None:
    if not membership:
        raise ConfigurationError(
            "membership", "it is empty.", remedy="Name the column that places a row in an interval."
        )
    _check_list("membership", membership, types)
    _check_types("membership", membership, types, {"timestamp": VOCABULARY["timestamp"]})


def _check_list(path: str, names: Sequence[str], columns: Collection[str]) -> None:
    if unknown := [name for name in names if name not in columns]:
        raise ConfigurationError(
            path,
            f"{unknown[0]!r} is not among the columns.",
            remedy=f"There is: {', '.join(columns)}.",
        )
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigurationError(
            path, f"{twice[0]!r} is named twice.", remedy="Name each column once."
        )


def _check_required(path: str, names: Sequence[str], columns: Iterable[DeclaredColumn]) -> None:
    for column in columns:
        if column.name in names and column.nullable:
            raise ConfigurationError(
                path,
                f"{column.name!r} may be NULL.",
                remedy=f"Give the column {column.name} nullable: false, or name another.",
            )


def _check_types(
    path: str,
    names: Sequence[str],
    types: Mapping[str, DeclaredType],
    fit: Mapping[str, DeclaredType],
) -> None:
    for name in names:
        given = types[name]
        decimal = pa.types.is_decimal(given.arrow) and "numeric(p, s)" in fit
        if given not in fit.values() and not decimal:
            raise ConfigurationError(
                path,
                f"{name!r} has a type that cannot serve for it.",
                remedy=f"Name a column of {' or '.join(fit)}.",
            )
