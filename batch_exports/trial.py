"""An export tried before it delivers: its source and its destination, step by step."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from functools import cache
from typing import Any, cast

from batch_exports.components.amplitude_source import AmplitudeSource
from batch_exports.components.authorities import system_authorities
from batch_exports.components.batch_export import BatchExport
from batch_exports.components.clickhouse_source import ClickHouseSource
from batch_exports.components.http_batch_export import HttpBatchExport
from batch_exports.components.lake_source import LakeSource
from batch_exports.components.postgres_batch_export import PostgresBatchExport
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.components.postgres_source import PostgresSource
from batch_exports.components.redshift_batch_export import RedshiftBatchExport
from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.s3_batch_export import S3BatchExport
from batch_exports.components.warehouse_table_source import WarehouseTableSource
from batch_exports.destinations.http import probe as http_probe
from batch_exports.destinations.http.destination import HttpDestination
from batch_exports.destinations.postgres import attempt as postgres_attempt
from batch_exports.destinations.postgres import probe as postgres_probe
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.redshift import attempt as redshift_attempt
from batch_exports.destinations.redshift import probe as redshift_probe
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.s3 import attempt as s3_attempt
from batch_exports.destinations.s3 import probe as s3_probe
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.errors import ConfigurationError
from batch_exports.lookup import Found
from batch_exports.probe import Result, probe
from batch_exports.source_lookup import FoundTable
from batch_exports.sources.amplitude import probe as amplitude_probe
from batch_exports.sources.clickhouse import probe as clickhouse_probe
from batch_exports.sources.delivered import probe as delivered_probe
from batch_exports.sources.lake import probe as lake_probe
from batch_exports.sources.postgres import attempt as postgres_source_attempt
from batch_exports.sources.postgres import probe as postgres_source_probe
from batch_exports.sources.postgres.postgres import Postgres
from batch_exports.sources.warehouse import probe as warehouse_probe


def try_source(found: Found) -> Iterator[Result]:
    """Reaching the source is part of what is tried, and so left to the steps."""
    export = found.export
    with ExitStack() as stack:

        def reach() -> Any:
            return export.reader(stack.enter_context(found.resources({export.source})))

        match found.source:
            case LakeSource():
                lake = lake_probe.Attempt(reach, export.selection)
                yield from probe(lake_probe.STEPS, lake)
            case AmplitudeSource(path=None):
                yield from probe(amplitude_probe.API_STEPS, amplitude_probe.ApiAttempt(reach))
            case AmplitudeSource():
                archives = amplitude_probe.ArchivesAttempt(reach, export.selection)
                yield from probe(amplitude_probe.ARCHIVES_STEPS, archives)
            case ClickHouseSource():
                clickhouse = clickhouse_probe.Attempt(reach, export.selection, export.newest)
                yield from probe(clickhouse_probe.STEPS, clickhouse)
            case PostgresSource():
                yield from _try_postgres_source(found)
            case WarehouseTableSource(state_schema=schema):
                table = warehouse_probe.Attempt(reach)
                yield from probe(warehouse_probe.steps(schema), table)
            case S3BatchExport():
                deliveries = delivered_probe.Attempt(reach, export.selection, export.newest)
                yield from probe(delivered_probe.STEPS, deliveries)


def try_table(found: FoundTable) -> Iterator[Result]:
    """A table of a warehouse, whatever exports it."""
    with ExitStack() as stack:

        def reach() -> Any:
            return found.reader(stack.enter_context(found.resources()))

        steps = warehouse_probe.steps(found.component.state_schema)
        yield from probe(steps, warehouse_probe.Attempt(reach))


def try_destination(found: Found) -> Iterator[Result]:
    return _TRIALS[type(found.component)](found)


def _try_postgres(found: Found) -> Iterator[Result]:
    component = cast(PostgresBatchExport, found.component)
    with found.resources(found.export.destination_resources) as resources:
        connection: PostgresConnectionResource = getattr(resources, component.connection)
        attempt = postgres_attempt.Attempt(
            cast(PostgresDestination, found.export.destination(resources)),
            connection.host,
            connection.port,
            connection.ssl_mode,
            _trusted(connection),
            connection.connect_timeout_seconds,
        )
        with closing(attempt):
            yield from probe(postgres_probe.STEPS, attempt)


def _try_postgres_source(found: Found) -> Iterator[Result]:
    component, export = cast(PostgresSource, found.source), found.export
    with found.resources({export.source, component.connection}) as resources:
        connection: PostgresConnectionResource = getattr(resources, component.connection)
        tried = postgres_source_attempt.Tried(
            cast(Postgres, export.reader(resources)), export.selection
        )
        attempt = postgres_source_attempt.Attempt(
            tried,
            connection.host,
            connection.port,
            connection.ssl_mode,
            _trusted(connection),
            connection.connect_timeout_seconds,
            interval=export.newest,
        )
        with closing(attempt):
            yield from probe(postgres_source_probe.STEPS, attempt)


def _trusted(connection: PostgresConnectionResource) -> str | None:
    """The certificates that the connection trusts. That there are none, connecting says."""
    if connection.ssl_root_cert is None and connection.ssl_mode == "verify-full":
        with suppress(ConfigurationError):
            return system_authorities("ssl_root_cert")
    return connection.ssl_root_cert


def _try_redshift(found: Found) -> Iterator[Result]:
    component = cast(RedshiftBatchExport, found.component)
    with found.resources(found.export.destination_resources) as resources:
        connection: RedshiftConnectionResource = getattr(resources, component.connection)
        attempt = redshift_attempt.Attempt(
            cast(RedshiftDestination, found.export.destination(resources)),
            connection.host,
            connection.port,
            connection.ssl_mode,
            connection.trusted,
            connection.connect_timeout_seconds,
            connection.region,
        )
        steps = redshift_probe.BY_COPY if component.stage else redshift_probe.BY_INSERT
        with closing(attempt):
            yield from probe(steps, attempt)


def _try_s3(found: Found) -> Iterator[Result]:
    export = found.export
    with ExitStack() as stack:

        def reach() -> s3_attempt.Place:
            resources = stack.enter_context(found.resources(export.destination_resources))
            return s3_attempt.place_of(cast(S3Destination, export.destination(resources)))

        attempt = stack.enter_context(closing(s3_attempt.Attempt(reach)))
        yield from probe(s3_probe.STEPS, attempt)


def _try_http(found: Found) -> Iterator[Result]:
    """The endpoint, then the bucket in which the record of deliveries is kept."""
    export = found.export
    with ExitStack() as stack:

        @cache
        def reach() -> HttpDestination:
            resources = stack.enter_context(found.resources(export.destination_resources))
            return cast(HttpDestination, export.destination(resources))

        yield from probe(http_probe.STEPS, http_probe.Attempt(reach))
        record = s3_attempt.Attempt(lambda: http_probe.place_of(reach()))
        yield from probe(s3_probe.STEPS, stack.enter_context(closing(record)))


_TRIALS: Mapping[type[BatchExport], Callable[[Found], Iterator[Result]]] = {
    HttpBatchExport: _try_http,
    PostgresBatchExport: _try_postgres,
    RedshiftBatchExport: _try_redshift,
    S3BatchExport: _try_s3,
}
