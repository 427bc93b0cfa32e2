"""The SQL for administrators, run by psql as it is printed: the export then delivers, with no
right too many."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from psycopg import sql

from batch_exports.destinations.made_up import made_up_rows
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.rights import Right, right_on_schema
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.authorization import DefaultRole, Role
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.rights import right_on_database, rights_on_tables
from batch_exports.destinations.redshift.setup_sql import Login, setup_sql
from batch_exports.errors import ConfigurationError, Terminal
from batch_exports.local import seaweedfs
from batch_exports.local.redshift.server import Emulator
from batch_exports.models import AMPLITUDE_MERGED_IDS, MODELS, Projection
from batch_exports_tests.destinations.redshift.administered import (
    BY_KEY,
    BY_RANGE,
    MERGED,
    PASSWORD,
    Cluster,
    administered,
    documented,
    script,
    unique,
)
from batch_exports_tests.destinations.rows import HOUR

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "redshift.md"
REMEDY = "Let an administrator run: "
EVERY_MODEL: list[Any] = [
    pytest.param(mode, documented(model), id=f"{model.name}-{mode}")
    for model in MODELS.values()
    for mode in ("replace", "append", *(("merge",) if model.versions else ()))
]
EXPORTS: list[Any] = [
    pytest.param("replace", BY_KEY, id="replace"),
    pytest.param("merge", MERGED, id="merge"),
    pytest.param("append", BY_KEY, id="append"),
]


@pytest.fixture(scope="module")
def cluster(redshift_emulator: Emulator, s3_server: seaweedfs.Server) -> Iterator[Cluster]:
    with administered(redshift_emulator, s3_server) as cluster:
        yield cluster


@pytest.mark.parametrize(("mode", "projection"), EVERY_MODEL)
def test_every_model_is_delivered_in_each_mode(
    cluster: Cluster, mode: WriteMode, projection: Projection
) -> None:
    destination = cluster.destination(user := unique(), mode, projection)
    cluster.set_up(destination, user, with_tables=True)
    rows = made_up_rows(projection, HOUR.start)
    batches = pa.RecordBatchReader.from_batches(rows.schema, [rows])
    assert destination.write(batches, HOUR, "run-1").rows == 2
    assert destination.columns(HOUR, rows.schema).problems == ()


@pytest.mark.parametrize("with_tables", [False, True])
def test_merged_ids_are_resolved_by_a_view(cluster: Cluster, with_tables: bool) -> None:
    destination = cluster.destination(
        user := unique(), "replace", documented(AMPLITUDE_MERGED_IDS), resolved_view="resolved"
    )
    cluster.set_up(destination, user, with_tables=with_tables)
    delivered = cluster.deliver(destination)
    assert destination.cycles(delivered).ids == 0


@pytest.mark.parametrize("with_tables", [False, True])
def test_copy_delivers(cluster: Cluster, with_tables: bool) -> None:
    destination = cluster.destination(user := unique(), "replace", BY_RANGE, way="COPY")
    cluster.set_up(destination, user, with_tables=with_tables)
    cluster.deliver(destination)


def test_tables_are_those_that_the_export_makes(cluster: Cluster) -> None:
    described = []
    for with_tables in (False, True):
        destination = cluster.destination(user := unique(), "merge", MERGED)
        cluster.set_up(destination, user, with_tables=with_tables)
        cluster.deliver(destination)
        described.append(columns(cluster, destination))
    assert described[0] == described[1]
    assert {table for table, *_ in described[0]} == {
        "_batch_exports_ledger",
        "a 'table",
        "a 'table_rejects",
    }


def columns(cluster: Cluster, destination: RedshiftDestination) -> list[Any]:
    query = (
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable "
        "FROM svv_columns WHERE table_schema = %s ORDER BY table_name, ordinal_position"
    )
    return cluster.admin.execute(query, [destination.name.schema]).fetchall()


@pytest.mark.parametrize(("mode", "projection"), EXPORTS)
def test_each_right_is_needed_to_use_tables(
    cluster: Cluster, mode: WriteMode, projection: Projection
) -> None:
    """Without it a delivery fails, and says which it lacks; with that one more it succeeds.

    The right to delete is that to lock a table as well, in databases whose isolation is
    serializable, as every rehearsal takes it to be.
    """
    destination = cluster.destination(user := unique(), mode, projection)
    cluster.set_up(destination, user, with_tables=True)
    rights = all_rights(cluster, destination)
    for right in rights:
        for privilege in right.privileges:
            assert_needed(cluster, destination, user, replace(right, privileges=(privilege,)))
            for again in rights:  # a remedy may give more than was taken
                cluster.execute(revoke(again, user, "ALL"))
                cluster.execute(again.grant(user))


@pytest.mark.parametrize("privilege", ["CREATE", "USAGE"])
def test_each_right_is_needed_to_make_tables(cluster: Cluster, privilege: str) -> None:
    destination = cluster.destination(user := unique(), "replace", BY_RANGE)
    cluster.set_up(destination, user, with_tables=False)
    right = right_on_schema(destination.name.schema, create=True)
    assert privilege in right.privileges
    assert_needed(cluster, destination, user, replace(right, privileges=(privilege,)))


def assert_needed(
    cluster: Cluster, destination: RedshiftDestination, user: str, right: Right
) -> None:
    [privilege] = right.privileges
    cluster.execute(revoke(right, user, privilege))
    with pytest.raises(Terminal) as raised:
        rehearse(destination)
    remedy = raised.value.remedy
    assert remedy.startswith(f"{REMEDY}GRANT "), f"without {right}: {raised.value}"
    assert privilege in remedy.partition(" ON ")[0]
    assert right.name.as_string() in remedy
    cluster.execute(remedy.removeprefix(REMEDY))
    rehearse(destination)


def rehearse(destination: RedshiftDestination) -> None:
    rows = made_up_rows(destination.projection, HOUR.start)
    batches = pa.RecordBatchReader.from_batches(rows.schema, [rows])
    assert destination.rehearse(batches, HOUR).rows == 2


def all_rights(cluster: Cluster, destination: RedshiftDestination) -> list[Right]:
    """Those that come with the tables."""
    return [
        right_on_database(cluster.emulator.database),
        right_on_schema(destination.name.schema, create=False),
        *rights_on_tables(destination.name, destination.write_mode).values(),
    ]


def revoke(right: Right, user: str, privilege: str) -> str:
    name = sql.Identifier(user).as_string()
    return f"REVOKE {privilege} ON {right.kind} {right.name.as_string()} FROM {name}"


def test_a_password_has_to_be_put_in() -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html: 8 to 64 characters, among
    them a capital, a small letter and a digit, and none of ' " \\ / @ and spaces."""
    rule = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*\d)[!-~]{8,64}")
    assert rule.fullmatch(PASSWORD)
    assert not rule.fullmatch("<password>")


@pytest.mark.parametrize(
    ("login", "user"), [("temporary", "exporter"), ("identity", "IAMR:exporter")]
)
def test_who_has_no_password(cluster: Cluster, login: Login, user: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/generating-user-credentials.html"""
    name = f"{user}-{unique()}"
    destination = cluster.destination(name, "replace", BY_KEY)
    printed = setup_sql(destination, name, "dev", login, {}, with_tables=False)
    assert "<password>" not in printed
    done = cluster.psql(printed)
    assert done.returncode == 0, done.stderr
    connection = cluster.connection(user=name.lower())
    with pytest.raises(Terminal, match="password"):
        connection.connect("a test")


def test_columns_are_added_by_the_owner_alone(cluster: Cluster) -> None:
    destination = cluster.destination("u", "replace", BY_KEY, on_missing_column="add")
    with pytest.raises(ConfigurationError) as raised:
        script(destination, "u", with_tables=True)
    assert raised.value.field == "on_missing_column"
    assert "CREATE ON SCHEMA" in script(destination, "u", with_tables=False)


@pytest.mark.parametrize(
    ("authorization", "on"),
    [
        (
            Role("arn:aws:iam::1:role/a,arn:aws:iam::2:role/b"),
            "'arn:aws:iam::1:role/a,arn:aws:iam::2:role/b'",
        ),
        (DefaultRole(), "DEFAULT"),
    ],
)
def test_the_right_to_a_role(cluster: Cluster, authorization: Any, on: str) -> None:
    """A chain of roles is granted as a whole.
    https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT-usage-notes.html"""
    destination = cluster.destination(user := unique(), "replace", BY_KEY)
    by_role = replace(destination, copy_from=cluster.area(authorization=authorization))
    printed = script(by_role, user, with_tables=False)
    [grant] = re.findall(r"^-- (GRANT ASSUMEROLE .*;)$", printed, re.MULTILINE)
    assert grant.startswith(f"GRANT ASSUMEROLE ON {on} TO ")
    cluster.set_up(by_role, user, with_tables=False)
    cluster.execute(grant)


def test_the_documentation_shows_what_is_printed(cluster: Cluster) -> None:
    name = TableName("posthog_exports", "events")
    destination = cluster.destination("posthog", "replace", BY_KEY, name=name)
    shown = re.search(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown
    printed = setup_sql(destination, "posthog", "analytics", "password", {}, with_tables=False)
    assert shown[1] in printed
