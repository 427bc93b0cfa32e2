"""What all sources have in common: a resource that reads, and an asset for each model."""

from abc import abstractmethod
from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from batch_exports.components.yaml_component import YamlComponent
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.models import Model, type_name


class Source(YamlComponent):
    """Where rows come from. Exports find it by its name."""

    name: str = Field(description="The name that exports give as their source.")

    @property
    @abstractmethod
    def models(self) -> Sequence[Model]:
        """What it offers."""

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
        if model not in self.models:
            offered = ", ".join(one.name for one in self.models)
            raise ConfigurationError(
                "model",
                f"the source {self.name!r} has no {model.name}.",
                remedy=f"It has {offered}. Name one of these, or another source.",
            )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            self.check_references(context)
        return dg.Definitions(
            resources={self.name: self.reader()},
            assets=[self._asset(model) for model in self.models],
        )

    def _asset(self, model: Model) -> dg.AssetSpec:
        columns = [
            dg.TableColumn(c.source_name, type_name(c.type), c.description) for c in model.columns
        ]
        return dg.AssetSpec(
            key=dg.AssetKey([self.name, model.name]),
            description=f"{model.description}\n\nFrom `{self.uri(model)}`.",
            group_name="sources",
            kinds=self.kinds,
            metadata={
                "dagster/uri": self.uri(model),
                "dagster/column_schema": dg.TableSchema(columns),
            },
        )
