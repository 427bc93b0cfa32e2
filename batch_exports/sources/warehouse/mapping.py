"""Which columns of a table become what of an identify event."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batch_exports.errors import Terminal
from batch_exports.sources.warehouse.kinds import IDENTIFIERS, KEYS, Kind, TableColumn
from batch_exports.transform.json_objects import Path, PathConflict, check_paths

IDENTIFYING = ("user_id", "anonymous_id", "email")
"""What a user is known by, and the columns that are taken for it unless others are named."""


@dataclass(frozen=True)
class EventMapping:
    """A mapping as it was written.

    `identifiers` are columns by what of `IDENTIFYING` they tell, `traits` columns with their paths
    among the traits; without any, all columns are traits under their own names. `constants` are
    JSON texts among the traits, `root` those at the root of the event.
    """

    key: tuple[str, ...]
    identifiers: Mapping[str, str] = field(default_factory=dict)
    traits: tuple[tuple[str, Path], ...] = ()
    constants: Mapping[Path, str] = field(default_factory=dict)
    root: Mapping[Path, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """What no other mapping has, in hex."""
        return _digest(
            [
                self.key,
                sorted(self.identifiers.items()),
                self.traits,
                list(self.constants.items()),
                list(self.root.items()),
            ]
        )

    def fit(self, columns: Sequence[TableColumn], table: object) -> "MappedTable":
        """The mapping on the columns of a table. Raises `Terminal` where they lack what it needs.

        An identifier that is not among the mapping is the column of its own name.
        """
        identifiers = self.fit_identifiers(columns, table)
        key = self.fit_key(columns, table)
        traits = self._traits(columns, {c.name for c in identifiers.values()}, table)
        _check_known([column for column, _ in traits], table)
        return MappedTable(key, identifiers, traits, self.constants, self.root)

    def fit_identifiers(
        self, columns: Sequence[TableColumn], table: object
    ) -> dict[str, TableColumn]:
        """The columns that identify. Raises `Terminal` for a table that has none."""
        by_name = {column.name: column for column in columns}
        own = {name: name for name in IDENTIFYING if name in by_name}
        named = own | dict(self.identifiers)
        found = {
            what: _found(by_name, named[what], what, table) for what in IDENTIFYING if what in named
        }
        if not found:
            raise Terminal(
                f"{table} has none of the columns {', '.join(IDENTIFYING)}, and the source names "
                "no other in their place: nobody could tell whom a row is about.",
                remedy="Name one: user_id, anonymous_id or email of the source.",
            )
        _check_kinds(found.items(), IDENTIFIERS, table)
        return found

    def fit_key(self, columns: Sequence[TableColumn], table: object) -> tuple[TableColumn, ...]:
        """The columns of the primary key. Raises `Terminal` for one that is not there."""
        by_name = {column.name: column for column in columns}
        key = tuple(_found(by_name, name, "primary_key", table) for name in self.key)
        _check_kinds((("primary_key", column) for column in key), KEYS, table)
        return key

    def _traits(
        self, columns: Sequence[TableColumn], taken: set[str], table: object
    ) -> tuple[tuple[TableColumn, Path], ...]:
        by_name = {column.name: column for column in columns}
        written = self.traits or tuple((column.name, (column.name,)) for column in columns)
        traits = tuple(
            (_found(by_name, name, "columns", table), path)
            for name, path in written
            if name not in taken
        )
        try:
            check_paths([*(path for _, path in traits), *self.constants])
        except PathConflict as conflict:
            raise Terminal(
                f"{table}: among the traits {conflict}.",
                remedy="Give a column or a constant another trait.",
            ) from conflict
        return traits


@dataclass(frozen=True)
class MappedTable:
    """A mapping with the columns that it found."""

    key: tuple[TableColumn, ...]
    identifiers: Mapping[str, TableColumn]
    traits: tuple[tuple[TableColumn, Path], ...]
    constants: Mapping[Path, str]
    root: Mapping[Path, str]

    @property
    def told(self) -> tuple[TableColumn, ...]:
        """What tells a row, and whom it is about: each column once."""
        return tuple(dict.fromkeys([*self.key, *self.identifiers.values()]))

    @property
    def columns(self) -> tuple[TableColumn, ...]:
        """All columns, each once."""
        return tuple(dict.fromkeys([*self.told, *(column for column, _ in self.traits)]))

    @property
    def sha256(self) -> str:
        """What no other columns have, in hex."""
        return _digest(sorted((c.name, c.type) for c in self.columns))

    def to_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(
            {
                "columns": [[c.name, c.type, c.kind and c.kind.name] for c in self.columns],
                "key": [c.name for c in self.key],
                "identifiers": {what: c.name for what, c in self.identifiers.items()},
                "traits": [[c.name, path] for c, path in self.traits],
                "constants": list(self.constants.items()),
                "root": list(self.root.items()),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "MappedTable":
        kept = json.loads(text)
        columns = {
            name: TableColumn(name, type_, Kind[kind]) for name, type_, kind in kept["columns"]
        }
        return cls(
            tuple(columns[name] for name in kept["key"]),
            {what: columns[name] for what, name in kept["identifiers"].items()},
            tuple((columns[name], tuple(path)) for name, path in kept["traits"]),
            {tuple(path): value for path, value in kept["constants"]},
            {tuple(path): value for path, value in kept["root"]},
        )


def _found(
    columns: Mapping[str, TableColumn], name: str, field_: str, table: object
) -> TableColumn:
    if name not in columns:
        raise Terminal(
            f"{table} has no column {name!r}, which {field_} names.",
            remedy=f"It has {', '.join(columns)}.",
        )
    return columns[name]


def _check_kinds(
    used: Iterable[tuple[str, TableColumn]], kinds: frozenset[Kind], table: object
) -> None:
    for field_, column in used:
        if column.kind not in kinds:
            raise Terminal(
                f"{table}: {column.name!r} is {column.type}, of which {field_} cannot be.",
                remedy=f"Name another column: of text or numbers"
                f"{', times or truth' if kinds is KEYS else ''}.",
            )


def _check_known(columns: Iterable[TableColumn], table: object) -> None:
    for column in columns:
        if column.kind is None:
            raise Terminal(
                f"{table}: {column.name!r} is {column.type}, which JSON has no form for.",
                remedy="Leave it out: list the other columns in the source's columns.",
            )


def _digest(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, ensure_ascii=False).encode()).hexdigest()
