"""What a model is: named, typed columns with a key, a membership column and their meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from batch_exports.errors import ConfigurationError
from batch_exports.models.origin import Query, Table
from batch_exports.models.rule import Rule

JSON = pa.json_()
TIMESTAMP = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Column:
    """One column of a model.

    `source` is its name in the source's rows where that differs. A source that lacks the column
    is an error, unless `member_of` names a JSON column and a member from which the value can be
    taken, or the column is `optional`: then it is NULL. `types` gives the column's type in tables
    that are made for it, by kind of destination, where it is not the usual one of the Arrow type.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = True
    source: str = ""
    member_of: tuple[str, str] | None = None
    optional: bool = False
    types: Mapping[str, str] = field(default_factory=dict)

    @property
    def source_name(self) -> str:
        return self.source or self.name

    @property
    def is_json(self) -> bool:
        return bool(self.type.equals(JSON))


@dataclass(frozen=True)
class Model:
    """A kind of row that can be exported.

    `key` identifies a row. Rows of a model with `versions` change over time: of several with one
    key, the newest is the one whose versions, compared one after the other, are the greatest.
    `membership` lists the source's columns that may place a row in an interval, the default first.
    `default_columns` gives, by kind of destination, the columns that an export without a selection
    of its own delivers: all, where it does not. `order` is the order of rows within a block of a
    file that lets readers skip data. `rules` are what the columns of each row must keep among
    themselves. `origin` is where a source finds the rows of a model that a user declared; of others
    the source knows.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    membership: tuple[str, ...]
    default_columns: Mapping[str, tuple[str, ...]]
    versions: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    has_events: bool = False
    rules: tuple[Rule, ...] = ()
    origin: Table | Query | None = None
    _by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {column.name: column for column in self.columns})

    def select(self, names: Sequence[str], destination: str) -> tuple[Column, ...]:
        """The named columns in the order given; the destination's default ones if none is named,
        which are all unless the model has its own for that kind of destination.

        Raises `ConfigurationError` for a name that the model lacks, one named twice, and a
        selection without the key, by which delivered rows are told apart.
        """
        names = tuple(names) or self.default_columns.get(destination, tuple(self._by_name))
        if unknown := [name for name in names if name not in self._by_name]:
            raise ConfigurationError(
                "columns",
                f"the model {self.name} has no column {unknown[0]!r}.",
                remedy=f"It has {', '.join(self._by_name)}.",
            )
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigurationError(
                "columns", f"{twice[0]!r} is named twice.", remedy="Name each column once."
            )
        if missing := [name for name in self.key if name not in names]:
            raise ConfigurationError(
                "columns",
                f"the selection lacks {missing[0]!r}, part of the key of {self.name}.",
                remedy=f"Add {missing[0]}: without it delivered rows cannot be told apart.",
            )
        return tuple(self._by_name[name] for name in names)


@dataclass(frozen=True)
class Projection:
    """The columns of a model that an export delivers.

    `membership` is the source's column that places a row in a data interval.
    """

    model: Model
    columns: tuple[Column, ...]
    membership: str

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema in which rows move from source to destination."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @property
    def identity(self) -> tuple[str, ...]:
        """The delivered columns that no two rows of one interval have in common."""
        names = {column.name for column in self.columns}
        return (*self.model.key, *(name for name in self.model.versions if name in names))

    @property
    def membership_column(self) -> str | None:
        """The delivered column that holds the membership column; None where none does."""
        return next((c.name for c in self.columns if c.source_name == self.membership), None)
