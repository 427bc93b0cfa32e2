"""A model that a user declares: where its rows are at a source, and what they have."""

from typing import Any, ClassVar

import dagster as dg
from pydantic import Field

from batch_exports.components.made_types import check_types
from batch_exports.components.references import find
from batch_exports.components.source import Source
from batch_exports.components.yaml_component import YamlComponent, YamlModel
from batch_exports.errors import ConfigurationError
from batch_exports.models import IDENTIFIES, MODELS, Model, Query, Table
from batch_exports.models.declared_model import DeclaredColumn, declared_model
from batch_exports.models.declared_query import declared_query

# Dagster finds subclasses by their base, which mypy wants to be concrete.
_ANY_SOURCE: Any = Source
_TABLE_FIELDS = {"schema", "table"}


class ColumnModel(YamlModel):
    """A column of the model, by its name at the source."""

    name: str = Field(description="Its name at the source, and where it is delivered.")
    type: str = Field(description="Its type, of those below.")
    nullable: bool = Field(
        True,
        description="Whether it may be NULL. A row without a value in a column that may not is "
        "rejected.",
    )
    description: str | None = Field(
        None, description="What it means, for those who meet it in the UI."
    )
    types: dict[str, str] = Field(
        {},
        description="The column's type in tables that are made, as in CREATE TABLE, by kind of "
        "destination: {postgres: ..., redshift: ...}. Values that it does not hold are rejected "
        "one by one; a type that would change values in silence is refused.",
    )


class CustomModel(YamlComponent):
    """Rows of a table, or of a query, of a source: exports name them as their model.

    The source's asset of it stands in the lineage, with its columns and the query.
    """

    namespace: ClassVar[str] = "models"

    name: str = Field(description="The name that exports give as their model.")
    source: str = Field(description="The name of the source that has the rows.")
    table: str | dict[str, str] | None = Field(
        None,
        description="The table, in the source's own schema, or {schema: ..., table: ...}; of a "
        "lake, the folder under its path. A model has this or query.",
    )
    query: str | None = Field(
        None,
        description="In the place of table, for sources that have SQL: a SELECT of the rows of an "
        "interval, with {data_interval_start} and {data_interval_end} where its bounds are bound.",
    )
    columns: list[ColumnModel] = Field(description="The columns, see below.")
    key: list[str] = Field(description="The columns that tell rows apart; they are never NULL.")
    versions: list[str] = Field(
        [],
        description="Columns that grow when a row changes, compared one after the other. With "
        "them tables keep the newest row of each key (write_mode merge) by default.",
    )
    membership: str | list[str] = Field(
        description="The column that places a row in an interval, a timestamp; or several of which "
        "exports choose, the default first."
    )
    description: str | None = Field(
        None, description="What a row is, for those who meet it in the UI."
    )

    def check(self) -> None:
        super().check()
        if self.name in MODELS or self.name == IDENTIFIES.name:
            raise ConfigurationError(
                "name", f"{self.name!r} is a model already.", remedy="Give it another name."
            )
        self.declared()

    def declared(self) -> Model:
        """Raises `ConfigurationError` for fields that do not fit."""
        model = declared_model(
            self.name,
            self.description or f"Rows of `{self.name}`, as declared.",
            [DeclaredColumn(**dict(column)) for column in self.columns],
            key=self.key,
            versions=self.versions,
            membership=[self.membership] if isinstance(self.membership, str) else self.membership,
            origin=self._origin(),
        )
        for number, column in enumerate(model.columns):
            check_types(f"columns.{number}.types", column)
        return model

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            source = find(context, _ANY_SOURCE, "source", self.source)
            model = self.declared()
            source.check_model(model)
        return dg.Definitions(assets=[source.asset(model)])

    def _origin(self) -> Table | Query:
        if (self.table is None) == (self.query is None):
            told = "it is missing" if self.table is None else "query is given as well"
            raise ConfigurationError("table", f"{told}.", remedy="Give a table, or a query.")
        if self.query is not None:
            return declared_query(self.query)
        assert self.table is not None
        if isinstance(self.table, str):
            return _table(self.table)
        if set(self.table) != _TABLE_FIELDS:
            raise ConfigurationError(
                "table",
                f"it has the fields {', '.join(self.table) or 'of none'}.",
                remedy="Write it as {schema: ..., table: ...}, or as the table's name alone.",
            )
        return _table(self.table["table"], self.table["schema"])


def _table(name: str, schema: str | None = None) -> Table:
    for part in (name, schema):
        if part is not None and not (part.strip() and part.isprintable()):
            raise ConfigurationError("table", f"{part!r} is not a name.", remedy="Correct it.")
    return Table(name, schema)


def find_model(context: dg.ComponentLoadContext, source: Source, name: str) -> Model:
    """A model of the source by its name: a built-in one, or one that was declared for it.

    Raises `ConfigurationError`, naming the field of the export, with the names that there are.
    """
    if name in MODELS:
        return MODELS[name]
    declared = context.component_tree.get_all_components(CustomModel)
    own = {component.name: component for component in declared if component.source == source.name}
    if name in own:
        return own[name].declared()
    for other in declared:
        if other.name == name:
            raise ConfigurationError(
                "model",
                f"{name!r} is a model of the source {other.source!r}.",
                remedy=f"Give that source, or declare one for {source.name}.",
            )
    raise ConfigurationError(
        "model",
        f"there is no model {name!r}.",
        remedy=f"{source.name} has {', '.join([*(one.name for one in source.models), *own])}. "
        "Correct the name, or define one with type: batch_exports.CustomModel.",
    )
