"""An export to a batch API over HTTP."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import dagster as dg
from pydantic import Field, PrivateAttr

from batch_exports.components.batch_export import BatchExport
from batch_exports.components.http_connection import HttpConnection
from batch_exports.components.references import find
from batch_exports.components.s3_connection import S3Connection, S3ConnectionResource
from batch_exports.components.yaml_component import YamlModel
from batch_exports.destinations.http.destination import HttpDestination
from batch_exports.destinations.http.endpoint import Endpoint
from batch_exports.destinations.s3.keys import KeyTemplate
from batch_exports.errors import ConfigurationError
from batch_exports.models import IDENTIFIES, Model
from batch_exports.sources.source import Selection


class RecordModel(YamlModel):
    """Where on S3 it is kept what was sent, and what was rejected: an endpoint cannot be asked."""

    connection: str = Field(description="The name of the S3Connection to write with.")
    bucket_name: str = Field(description="The bucket; it must exist.")
    key_prefix: str | None = Field(
        None,
        description="What keys begin with, with the variables of S3BatchExport; without it, the "
        "export's name.",
    )


class HttpBatchExport(BatchExport):
    """Sends users and their traits, the model `identifies`, to RudderStack, Segment or PostHog.

    Each row is a call. Materializing an interval again sends its calls again, under the same
    message IDs, by which the receiver drops those that it had before.
    """

    kind: ClassVar[str] = "http"

    connection: str = Field(description="The name of the HttpConnection to send with.")
    record: RecordModel = Field(
        description="Where on S3 the record of deliveries is kept, see below."
    )
    operations: list[Literal["insert", "update"]] = Field(
        ["insert", "update"], description="Which changes of rows are sent; others are skipped."
    )
    on_delete: Literal["reject", "skip"] = Field(
        "reject",
        description="Rows that the table has no more: there is no call for them. reject: they are "
        "kept with the rejects, and the values check fails; skip: they are left out and counted.",
    )
    requests_per_second: float | None = Field(
        None, description="The most requests that a run makes in a second; no limit without it."
    )
    timeout_seconds: int = Field(
        30, description="Seconds that an answer may take before the request is tried again."
    )

    _url: str = PrivateAttr("")

    def check(self) -> None:
        super().check()
        self.check_least("timeout_seconds", 1)
        if self.requests_per_second is not None and self.requests_per_second <= 0:
            raise ConfigurationError(
                "requests_per_second",
                f"{self.requests_per_second} is too small.",
                remedy="Give more than 0, or leave it out.",
            )
        if not self.operations:
            raise ConfigurationError(
                "operations", "nothing would be sent.", remedy="Give insert, update, or both."
            )
        if not self.record.bucket_name:
            raise ConfigurationError("record.bucket_name", "it is empty.", remedy="Name a bucket.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            self._url = find(context, HttpConnection, "connection", self.connection).url
            find(context, S3Connection, "record.connection", self.record.connection)
        return super().build_defs(context)

    def destination(self, selection: Selection) -> Callable[[Any], HttpDestination]:
        if missing := [c.name for c in IDENTIFIES.columns if c not in selection.columns]:
            raise ConfigurationError(
                "columns",
                f"calls are made of all columns, and {missing[0]!r} is not among them.",
                remedy="Leave columns out.",
            )
        template = self._template(selection.model)

        def reached(resources: Any) -> HttpDestination:
            endpoint: Endpoint = getattr(resources, self.connection)
            record: S3ConnectionResource = getattr(resources, self.record.connection)
            return HttpDestination(
                endpoint=endpoint,
                client=record.client(),
                bucket=self.record.bucket_name,
                template=template,
                export=self.name,
                projection=selection,
                operations=frozenset(self.operations),
                skip_deletes=self.on_delete == "skip",
                on_unrepresentable=self.on_unrepresentable,
                requests_per_second=self.requests_per_second,
                timeout_seconds=self.timeout_seconds,
            )

        return reached

    @property
    def unsharded(self) -> str:
        return "calls that were sent cannot be committed together."

    @property
    def pool(self) -> str:
        return self.connection

    @property
    def destination_resources(self) -> frozenset[str]:
        return frozenset({self.connection, self.record.connection})

    @property
    def asset_metadata(self) -> Mapping[str, Any]:
        return {
            "dagster/uri": self._url,
            "dagster/storage_kind": "http",
            "record": f"s3://{self.record.bucket_name}/{self._prefix}",
        }

    @property
    def _prefix(self) -> str:
        return f"{self.name}/" if self.record.key_prefix is None else self.record.key_prefix

    def _model(self) -> Model:
        model = super()._model()
        if model.name != IDENTIFIES.name:
            raise ConfigurationError(
                "model",
                f"there are no calls for {model.name}.",
                remedy=f"Export {IDENTIFIES.name}.",
            )
        return model

    def _template(self, model: Model) -> KeyTemplate:
        try:
            return KeyTemplate.parse(
                self._prefix,
                table=model.name,
                style="safe",
                file_extension="json",
                compression="none",
                codec_suffix=False,
                numbered=False,
            )
        except ConfigurationError as error:
            raise ConfigurationError(
                f"record.{error.field}", error.problem, remedy=error.remedy
            ) from None
