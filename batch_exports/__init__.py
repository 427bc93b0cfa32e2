"""Product-analytics data exported one data interval at a time, as partitioned Dagster assets.

The components that users write in YAML are attributes of this package. They are loaded when they
are asked for, so that the parts that know no Dagster can be imported without it.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

COMPONENTS = {
    "Alerts": "batch_exports.components.alerts",
    "AmplitudeSource": "batch_exports.components.amplitude_source",
    "ClickHouseConnection": "batch_exports.components.clickhouse_connection",
    "ClickHouseSource": "batch_exports.components.clickhouse_source",
    "CustomModel": "batch_exports.components.custom_model",
    "HttpBatchExport": "batch_exports.components.http_batch_export",
    "HttpConnection": "batch_exports.components.http_connection",
    "LakeSource": "batch_exports.components.lake_source",
    "PostgresBatchExport": "batch_exports.components.postgres_batch_export",
    "PostgresConnection": "batch_exports.components.postgres_connection",
    "PostgresSource": "batch_exports.components.postgres_source",
    "RedshiftBatchExport": "batch_exports.components.redshift_batch_export",
    "RedshiftConnection": "batch_exports.components.redshift_connection",
    "S3BatchExport": "batch_exports.components.s3_batch_export",
    "S3Connection": "batch_exports.components.s3_connection",
    "WarehouseTableSource": "batch_exports.components.warehouse_table_source",
}


def __getattr__(name: str) -> Any:
    if name in COMPONENTS:
        return getattr(import_module(COMPONENTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *COMPONENTS]
