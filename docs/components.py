"""Pages about what users write in YAML."""

from batch_exports.components.alert_channels import EmailModel, SlackModel, WebhookModel
from batch_exports.components.alerts import Alerts
from batch_exports.components.amplitude_source import AmplitudeSource
from batch_exports.components.batch_export import BatchExport
from batch_exports.components.clickhouse_connection import ClickHouseConnection
from batch_exports.components.clickhouse_source import ClickHouseSource
from batch_exports.components.http_batch_export import HttpBatchExport, RecordModel
from batch_exports.components.http_connection import HttpConnection
from batch_exports.components.lake_source import LakeSource
from batch_exports.components.no_run_window import NoRunWindowModel
from batch_exports.components.postgres_batch_export import PostgresBatchExport
from batch_exports.components.postgres_connection import PostgresConnection
from batch_exports.components.postgres_source import PostgresSource
from batch_exports.components.redshift_batch_export import RedshiftBatchExport
from batch_exports.components.redshift_connection import RedshiftConnection, TemporaryPassword
from batch_exports.components.redshift_stage import AuthorizationModel, StageModel
from batch_exports.components.s3_batch_export import S3BatchExport
from batch_exports.components.s3_connection import S3Connection
from batch_exports.components.volume import VolumeModel
from batch_exports.components.warehouse_table_source import WarehouseTableSource
from batch_exports.components.yaml_component import YamlComponent, YamlModel
from docs.fields import field_table, paragraphs
from docs.intervals import interval_table


def connections() -> str:
    page = _page(
        "Connections",
        "A connection is defined once; sources and exports name it. Secrets are given as "
        "`{env: NAME}`, where `NAME` is an environment variable of Dagster's processes: a secret "
        "in the file, or a template that would put one there, is refused when the file is loaded.",
        S3Connection,
        PostgresConnection,
        RedshiftConnection,
        ClickHouseConnection,
        HttpConnection,
    )
    return f"{page}\n\n{_mapping('iam', TemporaryPassword)}"


def sources() -> str:
    return _page(
        "Sources",
        "A source says where rows come from. Each model that it offers is an asset in the lineage.",
        LakeSource,
        AmplitudeSource,
        PostgresSource,
        ClickHouseSource,
        WarehouseTableSource,
    )


def exports() -> str:
    return f"""
# Exports

{paragraphs(BatchExport.__doc__)}

## Fields of every export

{field_table(BatchExport.model_fields)}

`asset_attributes` takes what Dagster's own components take, such as `owners`, `tags`, `group_name`
and `description`.

## Intervals

{interval_table()}

`schedule` is the cron that fires with `delay_seconds: 60`, in the export's time zone. N must divide
the hour or the day into equal parts. At each tick of a cron expression one data interval ends and
the next begins: in the example, that of Friday 06:30 lasts until Monday 06:30.

`start` and `end` must be where an interval begins. Text without a zone is in the export's
`timezone`. More in [schedules](../howto/schedules.md).

{_mapping("no_run_windows", NoRunWindowModel)}

{_mapping("volume", VolumeModel)}

{_export(S3BatchExport)}

See also [keys on S3](s3-keys.md), [files and codecs](s3-files.md), [the manifest](s3-manifest.md).

{_export(PostgresBatchExport)}

See also [tables](postgres-tables.md), [write modes](postgres-write-modes.md).

{_export(RedshiftBatchExport)}

See also [tables](redshift-tables.md), [write modes](redshift-write-modes.md).

{_mapping("stage", StageModel)}

{_mapping("authorization", AuthorizationModel)}

{_export(HttpBatchExport)}

See also [limits and the record](http-endpoints.md).

{_mapping("record", RecordModel)}
"""


def alerts() -> str:
    page = _page("Alerts", "[How they work](../howto/alerts.md).", Alerts)
    parts = {"slack": SlackModel, "email": EmailModel, "webhook": WebhookModel}
    return "\n\n".join([page, *(_mapping(field, model) for field, model in parts.items())])


def _export(component: type[BatchExport]) -> str:
    own = {
        n: info for n, info in component.model_fields.items() if n not in BatchExport.model_fields
    }
    return f"""
## batch_exports.{component.__name__}

{paragraphs(component.__doc__)}

Beside the fields of every export it has:

{field_table(own)}
""".strip()


def _mapping(field: str, model: type[YamlModel]) -> str:
    """A field that has fields of its own."""
    return f"""
### {field}

{paragraphs(model.__doc__)}

{field_table(model.model_fields)}
""".strip()


def _page(title: str, introduction: str, *components: type[YamlComponent]) -> str:
    parts = [f"# {title}", introduction]
    for component in components:
        parts += [
            f"## batch_exports.{component.__name__}",
            paragraphs(component.__doc__),
            field_table(component.model_fields),
        ]
    return "\n\n".join(parts)
