"""A lake as a source: a folder of files for each model."""

from collections.abc import Sequence
from typing import ClassVar

import dagster as dg
from pydantic import Field

from batch_exports.components.files_place import check_connection, check_place, is_on_s3, opened
from batch_exports.components.source import Source
from batch_exports.errors import ConfigurationError
from batch_exports.models import MODELS, Model, Query, Table
from batch_exports.sources.lake import Lake, folder_of


class LakeSource(Source):
    """Files of Parquet or JSON lines, on disk or on S3, in a folder for each model.

    Reads `<path>/<model>/**`: `.parquet`, `.jsonl`, `.jsonl.gz` and `.jsonl.zst`. Of a declared
    model the folder is its `table`.
    """

    origins: ClassVar[tuple[type[Table | Query], ...]] = (Table,)

    path: str = Field(description="A local folder, or s3://bucket/prefix.")
    connection: str | None = Field(
        None, description="The S3Connection to read s3:// with; AWS's default chain without one."
    )

    def check(self) -> None:
        super().check()
        check_place(self.path, self.connection)

    def check_references(self, context: dg.ComponentLoadContext) -> None:
        check_connection(context, self.connection)

    @property
    def models(self) -> Sequence[Model]:
        return tuple(MODELS.values())

    @property
    def kinds(self) -> set[str]:
        return {"s3" if is_on_s3(self.path) else "file"}

    def uri(self, model: Model) -> str:
        return f"{self.path.rstrip('/')}/{folder_of(model)}"

    def check_model(self, model: Model) -> None:
        super().check_model(model)
        assert isinstance(model.origin, Table)
        if model.origin.schema is not None:
            raise ConfigurationError(
                "table", "a lake has no schemas.", remedy="Give the folder alone."
            )
        if any(part in ("", ".", "..") for part in model.origin.name.split("/")):
            raise ConfigurationError(
                "table",
                f"{model.origin.name!r} is no folder under {self.path}.",
                remedy="Give it as it stands below the source's path, such as orders.",
            )

    def reader(self) -> dg.ResourceDefinition:
        path, connection = self.path, self.connection

        @dg.resource(
            description=f"Reads files under {path}.",
            required_resource_keys={connection} if connection else set(),
        )
        def lake(context: dg.InitResourceContext) -> Lake:
            return Lake(*opened(path, connection, context), shown_as=path)

        return lake
