"""What an administrator runs for an export."""

from batch_exports.components.postgres_batch_export import PostgresBatchExport
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.destinations.postgres import setup_sql as postgres
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.errors import ConfigurationError
from batch_exports.lookup import Found


def setup_sql(found: Found, *, with_tables: bool) -> str:
    """The SQL that prepares the export's database, as `with_tables` says there.

    Raises `ConfigurationError` for an export that does not deliver to PostgreSQL.
    """
    component, export = found.component, found.export
    if not isinstance(component, PostgresBatchExport):
        raise ConfigurationError(
            "export",
            f"{export.name!r} is a {type(component).__name__}, for which there is no SQL.",
            remedy="Give the name of a PostgresBatchExport.",
        )
    with found.resources(export.destination_resources) as resources:
        connection: PostgresConnectionResource = getattr(resources, component.connection)
        destination = export.destination(resources)
    assert isinstance(destination, PostgresDestination)
    return postgres.setup_sql(
        destination, connection.user, connection.database, with_tables=with_tables
    )
