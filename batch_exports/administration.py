"""What an administrator runs for an export."""

from batch_exports.components.postgres_batch_export import PostgresBatchExport
from batch_exports.components.postgres_connection import PostgresConnection
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.components.redshift_batch_export import RedshiftBatchExport
from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.temporary_login import Cluster, Workgroup
from batch_exports.destinations.postgres import setup_sql as postgres
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.redshift import setup_sql as redshift
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.policies import Policy, policies
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.errors import ConfigurationError
from batch_exports.lookup import Found, find_export
from batch_exports.source_lookup import FoundTable
from batch_exports.sources.warehouse import setup_sql as warehouse
from batch_exports.sources.warehouse.password import broken_rules

# The name of the AWS identity is not known before it logs in.
_IDENTITY = "IAMR:<role>"


def setup_sql(found: Found, *, with_tables: bool) -> str:
    """The SQL that prepares the export's database, as `with_tables` says there.

    Raises `ConfigurationError` for an export that delivers to no database.
    """
    component, export = found.component, found.export
    if isinstance(component, RedshiftBatchExport):
        return _redshift(found, component, with_tables=with_tables)
    if not isinstance(component, PostgresBatchExport):
        raise ConfigurationError(
            "export",
            f"{export.name!r} is a {type(component).__name__}, for which there is no SQL.",
            remedy="Give the name of a PostgresBatchExport or a RedshiftBatchExport.",
        )
    with found.resources(export.destination_resources) as resources:
        connection: PostgresConnectionResource = getattr(resources, component.connection)
        destination = export.destination(resources)
    assert isinstance(destination, PostgresDestination)
    return postgres.setup_sql(
        destination, connection.user, connection.database, with_tables=with_tables
    )


def source_setup_sql(found: FoundTable) -> str:
    """The SQL that prepares a warehouse for a source; the policies of its stage in comments."""
    component = found.component
    with found.resources() as resources:
        connection: PostgresConnectionResource | RedshiftConnectionResource = getattr(
            resources, component.connection
        )
        stage = found.reader(resources).stage
    temporary = isinstance(connection, RedshiftConnectionResource) and _temporary(connection)
    return warehouse.setup_sql(
        component.synced,
        connection.user or _IDENTITY,
        "temporary" if temporary else "password",
        stage,
    )


def broken_password_rules(found: FoundTable) -> list[str]:
    """What Redshift asks of a password, and that of the environment is not; nothing for others."""
    connection = found.component.connected
    if isinstance(connection, PostgresConnection) or connection.password is None:
        return []
    return broken_rules(connection.password.variable().get_value() or "")


def policy(found: Found, name: str) -> str:
    """One of the IAM policies that the export needs, as JSON: `stage`, `cluster`, `trust`, `login`.

    Raises `ConfigurationError` for an export that needs none of that name.
    """
    component, export = found.component, found.export
    needed: dict[str, Policy] = {}
    if isinstance(component, RedshiftBatchExport):
        needed = _policies(component, *_reached(found, component))
    if name not in needed:
        raise ConfigurationError(
            "policy",
            f"{export.name!r} needs none that is called {name}.",
            remedy=f"It needs: {', '.join(needed) or 'none'}.",
        )
    return needed[name].text


def _redshift(found: Found, component: RedshiftBatchExport, *, with_tables: bool) -> str:
    destination, connection = _reached(found, component)
    login: redshift.Login = "password"
    if _temporary(connection):
        login = "temporary" if connection.user else "identity"
    return redshift.setup_sql(
        destination,
        connection.user or _IDENTITY,
        connection.database,
        login,
        _policies(component, destination, connection),
        with_tables=with_tables,
    )


def _reached(
    found: Found, component: RedshiftBatchExport
) -> tuple[RedshiftDestination, RedshiftConnectionResource]:
    with found.resources(found.export.destination_resources) as resources:
        connection: RedshiftConnectionResource = getattr(resources, component.connection)
        destination = found.export.destination(resources)
    assert isinstance(destination, RedshiftDestination)
    return destination, connection


def _policies(
    component: RedshiftBatchExport,
    destination: RedshiftDestination,
    connection: RedshiftConnectionResource,
) -> dict[str, Policy]:
    needed: dict[str, Policy] = {}
    if destination.copy_from:
        delivered = _delivered(component.load_from) if component.load_from else None
        needed = policies(destination.copy_from, delivered)
    if of := _temporary(connection):
        document = of.policy(connection.region or "<region>", connection.database)
        needed["login"] = Policy("for the identity that asks for temporary passwords", document)
    return needed


def _delivered(name: str) -> str:
    """Where the files of an export to S3 lie, as far as it is the same for all of them."""
    other = find_export(name)
    with other.resources(other.export.destination_resources) as resources:
        destination = other.export.destination(resources)
    assert isinstance(destination, S3Destination)
    template = destination.template
    folder = template.prefix.replace("{table}", template.table).partition("{")[0]
    return f"s3://{destination.bucket}/{folder}"


def _temporary(connection: RedshiftConnectionResource) -> Cluster | Workgroup | None:
    """Whose temporary passwords it logs in with."""
    if connection.cluster_identifier:
        groups = tuple(connection.db_groups)
        return Cluster(
            connection.cluster_identifier, connection.user, groups, connection.auto_create
        )
    return Workgroup(connection.workgroup_name) if connection.workgroup_name else None
