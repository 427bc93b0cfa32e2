"""An export to a bucket."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import dagster as dg
from pydantic import Field

from batch_exports.components.batch_export import BatchExport
from batch_exports.components.delivered_files import delivered_files
from batch_exports.components.references import find
from batch_exports.components.s3_connection import S3Connection, S3ConnectionResource
from batch_exports.components.scaffolder import S3BatchExportScaffolder
from batch_exports.destinations.s3.destination import COMPRESSIONS, S3Destination
from batch_exports.destinations.s3.keys import KeyTemplate
from batch_exports.errors import ConfigurationError
from batch_exports.sources.source import Selection

_EXTENSIONS = {"parquet": "parquet", "jsonlines": "jsonl"}


@dg.scaffold_with(S3BatchExportScaffolder)
class S3BatchExport(BatchExport):
    """Delivers a model's rows to an S3 bucket, as Parquet or JSON lines with a manifest.

    An interval's files become visible together, and materializing it again replaces them.
    """

    kind: ClassVar[str] = "s3"
    delivers_files: ClassVar[bool] = True

    connection: str = Field(description="The name of the S3Connection to write with.")
    bucket_name: str = Field(description="The bucket; it must exist.")
    key_prefix: str = Field(
        "{table}/{year}/{month}/{day}/",
        description="What keys begin with. Variables: {year} {month} {day} {hour} {minute} "
        "{second} {table} {data_interval_start} {data_interval_end}.",
    )
    file_format: Literal["parquet", "jsonlines"] = Field("parquet", description="Format of files.")
    compression: Literal["none", "zstd", "lz4", "snappy", "gzip", "brotli"] = Field(
        "zstd",
        description="Codec of files; JSON lines have neither lz4 nor snappy.",
    )
    max_file_size_mib: int = Field(
        0, description="Begin another file when one has reached this size; 0 means one file."
    )
    encryption: Literal["AES256", "aws:kms"] | None = Field(
        None, description="Server-side encryption; the bucket's own setting without it."
    )
    kms_key_id: str | None = Field(None, description="The KMS key; encryption aws:kms needs one.")
    key_style: Literal["safe", "posthog"] = Field(
        "safe",
        description="safe: compact times, date variables from the interval's start. posthog: keys "
        "as PostHog writes them, date variables from the interval's end.",
    )
    parquet_codec_suffix: bool = Field(
        True, description="Parquet files end in .parquet.zst and the like; false: in .parquet."
    )

    def check(self) -> None:
        super().check()
        self.check_least("max_file_size_mib", 0)
        if self.compression not in COMPRESSIONS[self.file_format]:
            raise ConfigurationError(
                "compression",
                f"{self.file_format} has no {self.compression}.",
                remedy=f"Use {', '.join(COMPRESSIONS[self.file_format])}.",
            )
        if self.encryption == "aws:kms" and not self.kms_key_id:
            raise ConfigurationError(
                "encryption", "aws:kms needs a key.", remedy="Give kms_key_id as well."
            )
        if self.kms_key_id and self.encryption != "aws:kms":
            raise ConfigurationError(
                "kms_key_id",
                f"{self.kms_key_id!r} is of no use to encryption {self.encryption}.",
                remedy="Set encryption: aws:kms, or leave it out.",
            )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        with self.located():
            find(context, S3Connection, "connection", self.connection)
        defined = super().build_defs(context)
        files = delivered_files(self.export(), self.connection)
        return dg.Definitions.merge(defined, dg.Definitions(resources={self.name: files}))

    def destination(self, selection: Selection) -> Callable[[Any], S3Destination]:
        template = KeyTemplate.parse(
            self.key_prefix,
            table=selection.model.name,
            style=self.key_style,
            file_extension=_EXTENSIONS[self.file_format],
            compression=self.compression,
            codec_suffix=self.parquet_codec_suffix or self.file_format != "parquet",
            numbered=self.max_file_size_mib > 0 or self.shards > 1,
        )

        def reached(resources: Any) -> S3Destination:
            connection: S3ConnectionResource = getattr(resources, self.connection)
            return S3Destination(
                client=connection.client(),
                bucket=self.bucket_name,
                template=template,
                export=self.name,
                projection=selection,
                file_format=self.file_format,
                compression=self.compression,
                max_file_bytes=self.max_file_size_mib * 2**20,
                headers=self._headers,
                on_unrepresentable=self.on_unrepresentable,
            )

        return reached

    @property
    def unsharded(self) -> str:
        return ""

    @property
    def pool(self) -> str:
        return self.connection

    @property
    def destination_resources(self) -> frozenset[str]:
        return frozenset({self.connection})

    @property
    def asset_metadata(self) -> Mapping[str, Any]:
        return {
            "dagster/uri": f"s3://{self.bucket_name}/{self.key_prefix}",
            "dagster/storage_kind": "s3",
            "file_format": self.file_format,
            "compression": self.compression,
        }

    @property
    def _kinds(self) -> set[str]:
        return {"parquet" if self.file_format == "parquet" else "json"}

    @property
    def _headers(self) -> dict[str, Any]:
        if self.encryption is None:
            return {}
        headers = {"ServerSideEncryption": self.encryption}
        return {**headers, "SSEKMSKeyId": self.kms_key_id} if self.kms_key_id else headers
