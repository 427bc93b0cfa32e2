"""Whether the user may do there what a delivery does, up to a delivery that is undone."""

from batch_exports.destinations.postgres import fitting, permission
from batch_exports.destinations.redshift.attempt import Attempt
from batch_exports.destinations.redshift.cluster import most_string_bytes, slices
from batch_exports.destinations.redshift.fit import fit
from batch_exports.destinations.redshift.isolation import is_serializable
from batch_exports.destinations.redshift.preparation import add_column
from batch_exports.destinations.redshift.rights import right_on_database, rights_on_tables
from batch_exports.destinations.redshift.table import read_table
from batch_exports.destinations.rehearsal import rehearse
from batch_exports.probe import Finding, passed, skipped
from batch_exports.transform.capabilities import SuperLimits


def make_tables(attempt: Attempt) -> Finding:
    destination = attempt.destination
    names = rights_on_tables(destination.name, destination.write_mode)
    return permission.make_tables(attempt, list(names))


def use_tables(attempt: Attempt) -> Finding:
    destination = attempt.destination
    return permission.use_tables(
        attempt, rights_on_tables(destination.name, destination.write_mode)
    )


def fit_table(attempt: Attempt) -> Finding:
    destination = attempt.destination
    name = destination.name
    with attempt.session() as connection:
        table = read_table(connection, name)
        if table is None:
            return skipped(f"{name} is not there yet")
        fits = fit(
            destination.projection,
            table,
            name,
            merge=destination.write_mode == "merge",
            row_bytes=None,
            super_limits=SuperLimits(string_bytes=most_string_bytes(connection)),
        )
        owner = permission.owns(connection, name)
        user = connection.info.user
    return fitting.told(
        name,
        columns=len(fits.columns),
        missing={c.name: add_column(name, c, destination.design).as_string() for c in fits.missing},
        on_missing_column=destination.on_missing_column,
        owner=owner,
        user=user,
    )


def make_temporary_tables(attempt: Attempt) -> Finding:
    with attempt.session() as connection:
        database = connection.info.dbname
    return permission.make_temporary_tables(attempt, right_on_database(database))


def tell_isolation(attempt: Attempt) -> Finding:
    with attempt.session() as connection:
        serializable = is_serializable(connection)
    if serializable:
        return passed(
            "serializable, or not told: a delivery locks the table first, readers wait while it "
            "moves its rows, and is tried again after an error 1023"
        )
    return passed("snapshot: readers never wait for a delivery")


def tell_slices(attempt: Attempt) -> Finding:
    files = attempt.area.files
    with attempt.session() as connection:
        found = slices(connection)
    if files:
        return passed(f"stage.files: {files} are loaded at a time")
    return passed(f"{found} files are loaded at a time, one a slice")


def deliver(attempt: Attempt) -> Finding:
    return rehearse(attempt.destination)
