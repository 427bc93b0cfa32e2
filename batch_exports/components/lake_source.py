"""A lake as a source: a folder of files for each model."""

from pathlib import Path

import dagster as dg
from pyarrow import fs
from pydantic import Field

from batch_exports.components.references import find
from batch_exports.components.s3_connection import S3Connection
from batch_exports.components.yaml_component import YamlComponent
from batch_exports.errors import ConfigurationError
from batch_exports.models import MODELS, type_name
from batch_exports.sources.lake import Lake


class LakeSource(YamlComponent):
    """Files of Parquet or JSON lines, on disk or on S3, in a folder for each model.

    Reads `<path>/<model>/**`: `.parquet`, `.jsonl`, `.jsonl.gz` and `.jsonl.zst`.
    """

    name: str = Field(description="The name that exports give as their source.")
    path: str = Field(description="A local folder, or s3://bucket/prefix.")
    connection: str | None = Field(
        None, description="The S3Connection to read s3:// with; AWS's default chain without one."
    )

    def check(self) -> None:
        super().check()
        if "://" in self.path and not self._on_s3:
            raise ConfigurationError(
                "path",
                f"{self.path!r} is of a kind that is not known.",
                remedy="Give a local folder, or s3://bucket/prefix.",
            )
        if self.connection and not self._on_s3:
            raise ConfigurationError(
                "connection",
                f"{self.connection!r} is of no use to the local folder {self.path!r}.",
                remedy="Leave it out, or correct the path.",
            )

    @property
    def _on_s3(self) -> bool:
        return self.path.startswith("s3://")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        if self.connection:
            with self.located():
                find(context, S3Connection, "connection", self.connection)
        return dg.Definitions(
            resources={self.name: self._resource()},
            assets=[
                dg.AssetSpec(
                    key=dg.AssetKey([self.name, model.name]),
                    description=f"{model.description}\n\nFiles under `{self.path}`.",
                    group_name="sources",
                    kinds={"s3" if self._on_s3 else "file"},
                    metadata={
                        "dagster/uri": f"{self.path.rstrip('/')}/{model.name}",
                        "dagster/column_schema": dg.TableSchema(
                            [
                                dg.TableColumn(c.source_name, type_name(c.type), c.description)
                                for c in model.columns
                            ]
                        ),
                    },
                )
                for model in MODELS.values()
            ],
        )

    def _resource(self) -> dg.ResourceDefinition:
        path, connection = self.path, self.connection

        @dg.resource(
            description=f"Reads files under {path}.",
            required_resource_keys={connection} if connection else set(),
        )
        def lake(context: dg.InitResourceContext) -> Lake:
            if not path.startswith("s3://"):
                root = str(Path(path).expanduser().absolute())
                return Lake(fs.LocalFileSystem(), root, shown_as=path)
            root = path.removeprefix("s3://")
            if connection:
                store = getattr(context.resources, connection).filesystem()
            else:
                store = fs.S3FileSystem()
            return Lake(store, root, shown_as=path)

        return lake
