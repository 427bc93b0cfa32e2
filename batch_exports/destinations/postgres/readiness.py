"""Whether the user may do there what a delivery does, up to a delivery that is undone."""

from batch_exports.destinations.postgres import fitting, permission
from batch_exports.destinations.postgres.attempt import Attempt
from batch_exports.destinations.postgres.fit import fit
from batch_exports.destinations.postgres.lock import interval_lock
from batch_exports.destinations.postgres.preparation import add_column
from batch_exports.destinations.postgres.rights import right_on_database, rights_on_tables
from batch_exports.destinations.postgres.table import read_table
from batch_exports.destinations.rehearsal import rehearse
from batch_exports.destinations.server_attempt import moment
from batch_exports.probe import Finding, passed, skipped


def make_tables(attempt: Attempt) -> Finding:
    destination = attempt.destination
    names = rights_on_tables(destination.name, destination.write_mode)
    finding = permission.make_tables(attempt, list(names))
    if setting := destination.staged_by:
        permission.make_more_tables(
            attempt,
            f"{setting} stages rows in tables",
            f" or set {setting.partition(':')[0]}: 1.",
        )
    return finding


def use_tables(attempt: Attempt) -> Finding:
    destination = attempt.destination
    return permission.use_tables(
        attempt, rights_on_tables(destination.name, destination.write_mode)
    )


def fit_table(attempt: Attempt) -> Finding:
    destination = attempt.destination
    name, projection = destination.name, destination.projection
    with attempt.session() as connection:
        table = read_table(connection, name)
        if table is None:
            return skipped(f"{name} is not there yet")
        fits = fit(projection, table, name, merge=destination.write_mode == "merge")
        owner = permission.holds(
            connection,
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass",
            name.sql.as_string(),
        )
        user = connection.info.user
    return fitting.told(
        name,
        columns=len(fits.columns),
        missing={c.name: add_column(name, c).as_string() for c in fits.missing},
        on_missing_column=destination.on_missing_column,
        owner=owner,
        user=user,
    )


def make_temporary_tables(attempt: Attempt) -> Finding:
    destination = attempt.destination
    with attempt.session() as connection:
        database = connection.info.dbname
    right = right_on_database(database, destination.projection, destination.write_mode)
    if "TEMPORARY" not in right.privileges:
        return skipped(f"the mode {destination.write_mode} needs none")
    return permission.make_temporary_tables(attempt, right)


def lock(attempt: Attempt) -> Finding:
    destination = attempt.destination
    with attempt.session() as connection, connection.transaction(force_rollback=True):
        interval_lock(connection, destination.name, destination.export, moment())
    return passed("an advisory lock was taken, and given back")


def deliver(attempt: Attempt) -> Finding:
    return rehearse(attempt.destination)
