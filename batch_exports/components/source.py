"""What all sources have in common: a resource that reads, and an asset for each model."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import dagster as dg
from pydantic import Field

from batch_exports.components.yaml_component import YamlComponent
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.models import Model, Query, Table, type_name


class Source(YamlComponent):
    """Where rows come from. Exports find it by its name."""

    name: str = Field(description="The name that exports give as their source.")

    origins: ClassVar[tuple[type[Table | Query], ...]] = ()
    """Where the rows of models that users declare for it may be; nowhere, if it has none."""

    group: ClassVar[str] = "sources"
    """The group of its assets in the lineage."""

    @property
    @abstractmethod
    def models(self) -> Sequence[Model]:
        """What it offers, beside what users declare."""

    @property
    @abstractmethod
    def kinds(self) -> set[str]:
        """Kinds of its assets, as the Dagster UI shows them."""

    @abstractmethod
    def uri(self, model: Model) -> str:
        """Where the model's rows are."""

    @abstractmethod
    def reader(self) -> dg.ResourceDefinition:
        """What makes the `batch_exports.sources.source.Source` of a run."""

    def check_references(self, context: dg.ComponentLoadContext) -> None:
        """Raises `ConfigurationError` for a component that it names and that is not there."""

    def check_export(self, export: Export) -> None:
        """Raises `ConfigurationError`, naming the export's field, for one that it cannot serve."""
        model = export.selection.model
        if model.origin is None and model.name not in {one.name for one in self.models}:
            offered = ", ".join(one.name for one in self.models)
            raise ConfigurationError(
                "model",
                f"the source {self.name!r} has no {model.name}.",
                remedy=f"It has {offered}. Name one of these, or another source.",
            )

    def check_model(self, model: Model) -> None:
        """Raises `ConfigurationError`, naming the field of the declared model, for one that it
        cannot read."""
        if isinstance(model.origin, self.origins):
            return
        field = "query" if isinstance(model.origin, Query) else "table"
        if self.origins:
            problem, remedy = f"the source {self.name!r} has no SQL.", "Give a table."
        else:
            problem = f"the source {self.name!r} has the models of its own alone."
            remedy = "Declare the model for another source."
        raise ConfigurationError(field, problem, remedy=remedy)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            self.check_references(context)
        return dg.Definitions(
            resources={self.name: self.reader()},
            assets=[self.asset(model) for model in self.models],
        )

    def asset(self, model: Model) -> dg.AssetSpec:
        """What stands for the model's rows in the lineage."""
        columns = [
            dg.TableColumn(c.source_name, type_name(c.type), c.description or None)
            for c in model.columns
        ]
        return dg.AssetSpec(
            key=dg.AssetKey([self.name, model.name]),
            description=f"{model.description}\n\nFrom `{self.uri(model)}`.",
            group_name=self.group,
            kinds=self.kinds,
            metadata={
                "dagster/uri": self.uri(model),
                "dagster/column_schema": dg.TableSchema(columns),
                **_declared(model),
            },
        )


def _declared(model: Model) -> dict[str, Any]:
    """Where the rows of a declared model are, in the source's own terms."""
    match model.origin:
        case Table(name, schema):
            return {"table": f"{schema}.{name}" if schema else name}
        case Query(text):
            return {"query": dg.MetadataValue.md(f"```sql\n{text}\n```")}
    return {}
