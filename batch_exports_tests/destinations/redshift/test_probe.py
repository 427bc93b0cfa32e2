"""A Redshift destination tried step by step: whatever is wrong is found by its step and told with
its remedy, and nothing of the trial stays."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, LiteralString

import boto3
import pytest

from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.s3_connection import S3ConnectionResource
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.authorization import DefaultRole, Keys, Role
from batch_exports.local import postgres_server as postgres
from batch_exports.local import seaweedfs
from batch_exports.local.ports import free_ports
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.server import Emulator, serving
from batch_exports.models import Projection
from batch_exports_tests.aws import account
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.destinations.redshift.administered import (
    BY_KEY,
    BY_RANGE,
    MERGED,
    Cluster,
    administered,
)
from batch_exports_tests.destinations.redshift.tried import Findings, Place, failure, findings

GOOD = {"passed", "skipped"}


@pytest.fixture(scope="module")
def cluster(redshift_emulator: Emulator, s3_server: seaweedfs.Server) -> Iterator[Cluster]:
    with administered(redshift_emulator, s3_server) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Place:
    """One for tests that change nothing there."""
    return Place(cluster)


@pytest.fixture
def own(cluster: Cluster) -> Place:
    return Place(cluster)


def verdicts(found: Findings) -> set[str]:
    return {finding.verdict for finding in found.values()}


@pytest.mark.parametrize(
    ("mode", "projection", "way"),
    [
        ("replace", BY_RANGE, "COPY"),
        ("replace", BY_KEY, "INSERT"),
        ("merge", MERGED, "INSERT"),
        ("append", BY_KEY, "INSERT"),
    ],
)
def test_a_place_without_tables(
    place: Place, mode: WriteMode, projection: Projection, way: str
) -> None:
    found = place.tried(mode=mode, projection=projection, way=way)
    assert verdicts(found) <= GOOD, found
    told = {name: finding.text for name, finding in found.items()}
    port = place.cluster.emulator.port
    assert told["host name"] == "127.0.0.1 is no name"
    assert told["network"] == f"127.0.0.1, port {port} answers"
    assert told["TLS"].startswith("TLSv1.3, certificate for localhost, 127.0.0.1 by trustme")
    assert told["log in"] == f"user {place.user!r}, database 'dev', Redshift 1.0.0"
    assert told["make tables"].startswith("tables may be made; the first delivery makes ")
    assert told["use tables"] == "none is there yet"
    assert told["columns"] == f"{place.name} is not there yet"
    assert told["isolation"].startswith("snapshot: ")
    assert told["delivery"] == "2 made-up rows went into the table, and were undone"
    if way == "COPY":
        assert told["slices"] == "2 files are loaded at a time, one a slice"
        assert told["stage put"] == "an object was put there, and is listed"
        assert told["stage delete"] == "the object is gone"


def test_a_database_whose_isolation_is_serializable(
    postgres_server: postgres.Server, cluster: Cluster
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_STV_DB_ISOLATION_LEVEL.html"""
    with serving(postgres_server, None, {}, isolation="serializable") as emulator:
        found = Place(replace(cluster, emulator=emulator)).tried()
    assert verdicts(found) == GOOD
    assert found["isolation"].text.startswith("serializable")


@pytest.mark.parametrize("with_tables", [False, True])
def test_a_place_with_rows(cluster: Cluster, with_tables: bool) -> None:
    place = Place(cluster, with_tables=with_tables, mode="merge", projection=MERGED)
    cluster.deliver(place.destination())
    found = place.tried()
    assert verdicts(found) <= GOOD
    assert found["columns"].text == f"{place.name} has all {len(MERGED.columns)} columns"
    assert found["use tables"].verdict == "passed"
    assert ("none needs to be" in found["make tables"].text) == with_tables


@pytest.mark.parametrize(
    ("connection", "step", "text", "remedy"),
    [
        ({"host": "nowhere.invalid"}, "host name", "'nowhere.invalid'", "connection's host"),
        ({"password": "another"}, "log in", "authentication", "environment variable"),
        ({"database": "nowhere"}, "log in", '"nowhere" does not exist', "connection's database"),
        ({"ssl_root_cert": None}, "TLS", "certificate verify failed", "Amazon did not sign"),
    ],
)
def test_what_the_connection_has_wrong(
    place: Place, connection: dict[str, Any], step: str, text: str, remedy: str
) -> None:
    settings = {"user": place.user, **connection}
    found = findings(place.cluster.connection(**settings), place.destination())
    failed = failure(found, step)
    assert text in failed.text
    assert remedy in failed.remedy
    if step == "log in":
        assert found["TLS"].verdict == "passed"


def test_aws_gives_no_temporary_password(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/generating-user-credentials.html"""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    connection = place.cluster.connection(
        user=place.user, password=None, cluster_identifier="analytics", region="us-east-1"
    )
    found = findings(connection, place.destination())
    assert found["TLS"].verdict == "skipped"
    failed = failure(found, "log in")
    assert "There are no AWS credentials for the cluster analytics" in failed.text


def test_a_port_on_which_nothing_listens(place: Place) -> None:
    [port] = free_ports(1)
    connection = place.cluster.connection(user=place.user, port=port)
    failed = failure(findings(connection, place.destination()), "network")
    assert failed.text == f"127.0.0.1, port {port}: refused, so nothing listens there."
    assert "resume the cluster" in failed.remedy
    assert "security group" in failed.remedy


def test_a_server_that_has_not_proven_who_it_is(place: Place) -> None:
    connection = place.cluster.connection(user=place.user, ssl_mode="require", ssl_root_cert=None)
    told = findings(connection, place.destination())["TLS"]
    assert told.verdict == "warning"
    assert "verify-full" in told.remedy


def test_postgresql(place: Place, postgres_server: postgres.Server) -> None:
    """It speaks the same protocol."""
    login = postgres_server.exporter
    connection = RedshiftConnectionResource(
        user=login.user,
        password=login.password,
        host=postgres_server.host,
        port=postgres_server.port,
        database=postgres_server.database,
        ssl_root_cert=str(postgres_server.root_certificate),
        aws=S3ConnectionResource(),
    )
    failed = failure(findings(connection, place.destination()), "log in")
    assert "is not Redshift" in failed.text
    assert "PostgresBatchExport" in failed.remedy


@pytest.mark.parametrize(
    ("statement", "step", "text", "granted"),
    [
        (
            "REVOKE USAGE ON SCHEMA {schema} FROM {user}",
            "schema",
            "may not be used",
            "GRANT USAGE ON SCHEMA {schema} TO {user};",
        ),
        (
            "REVOKE CREATE ON SCHEMA {schema} FROM {user}",
            "make tables",
            "there is no",
            "GRANT CREATE ON SCHEMA {schema} TO {user};",
        ),
        (
            "REVOKE TEMPORARY ON DATABASE {database} FROM {user}",
            "temporary tables",
            "No temporary table may be made",
            "GRANT TEMPORARY ON DATABASE {database} TO {user};",
        ),
    ],
)
def test_a_right_that_is_missing(
    own: Place, statement: LiteralString, step: str, text: str, granted: LiteralString
) -> None:
    own.execute(statement)
    failed = failure(own.tried(), step)
    assert text in failed.text
    assert failed.remedy.startswith("Let an administrator run: GRANT ")
    own.execute(granted)
    assert verdicts(own.tried()) == GOOD


def test_a_right_on_tables_that_is_missing(cluster: Cluster) -> None:
    place = Place(cluster, with_tables=True)
    place.execute("REVOKE SELECT, DELETE ON {table} FROM {user}")
    place.execute("REVOKE INSERT ON {schema}._batch_exports_ledger FROM {user}")
    failed = failure(place.tried(), "use tables")
    prefix, _, grants = failed.remedy.partition(": ")
    assert prefix == "Let an administrator run"
    assert grants.count("GRANT ") == 2
    assert "GRANT SELECT, DELETE ON TABLE" in grants
    cluster.execute(grants)
    assert verdicts(place.tried()) <= GOOD


def test_a_schema_that_is_not_there(place: Place) -> None:
    failed = failure(place.tried(name=TableName("nowhere", "events")), "schema")
    assert failed.text == "There is no schema 'nowhere' in the database."
    assert "`batch-exports setup-sql e` prints the SQL." in failed.remedy


@pytest.mark.parametrize(
    ("statement", "text", "remedy"),
    [
        (
            "ALTER TABLE {table} DROP COLUMN ip; ALTER TABLE {table} ADD COLUMN ip integer",
            "'ip' is integer",
            "Change",
        ),
        ("ALTER TABLE {table} DROP COLUMN uuid", "no column 'uuid'", "ADD COLUMN"),
        ("DROP TABLE {table}; CREATE VIEW {table} AS SELECT 1 AS one", "not a table", "Name"),
    ],
)
def test_a_table_that_does_not_fit(
    cluster: Cluster, statement: LiteralString, text: str, remedy: str
) -> None:
    place = Place(cluster, with_tables=True)
    for part in statement.split("; "):
        place.execute(part)
    place.execute("GRANT ALL ON {table} TO {user}")
    failed = failure(place.tried(), "columns")
    assert text in failed.text
    assert remedy in failed.remedy


def test_a_column_that_is_missing(cluster: Cluster) -> None:
    place = Place(cluster, with_tables=True)
    place.execute("ALTER TABLE {table} DROP COLUMN ip")
    ignored = place.tried()
    assert ignored["columns"].verdict == "warning"
    assert "lacks 'ip'" in ignored["columns"].text
    assert ignored["delivery"].verdict == "passed"
    failed = failure(place.tried(on_missing_column="fail"), "columns")
    assert 'ADD COLUMN "ip" VARCHAR(200);' in failed.remedy
    failed = failure(place.tried(on_missing_column="add"), "columns")
    place.cluster.execute(failed.remedy.removeprefix("Let an administrator run: "))
    added = place.tried(on_missing_column="add")
    assert added["columns"].text.endswith("lacks 'ip': the next delivery adds it")
    assert added["delivery"].verdict == "passed"


def test_a_column_that_is_narrow(cluster: Cluster) -> None:
    place = Place(cluster, with_tables=True)
    place.execute("ALTER TABLE {table} DROP COLUMN ip")
    place.execute("ALTER TABLE {table} ADD COLUMN ip varchar(3)")
    found = place.tried()["delivery"]
    assert found.verdict == "warning"
    assert found.text == "1 of 2 made-up rows would have been rejected."


def test_a_table_of_another_export(own: Place) -> None:
    own.cluster.deliver(own.destination(export="other"))
    failed = failure(own.tried(), "delivery")
    assert "has deliveries of the export 'other'" in failed.text


@pytest.mark.parametrize(
    ("area", "step", "text", "remedy"),
    [
        (
            {"bucket": "nowhere-at-all"},
            "stage bucket",
            "There is no bucket 'nowhere-at-all'",
            "correct bucket_name",
        ),
        (
            {"authorization": Role("arn:aws:iam::123456789012:role/another")},
            "delivery",
            "not authorized to assume IAM Role arn:aws:iam::123456789012:role/another",
            "Associate arn:aws:iam::123456789012:role/another with the cluster",
        ),
        (
            {"authorization": DefaultRole()},
            "delivery",
            "no default IAM role",
            "Make one of the cluster's roles its default",
        ),
        (
            {"authorization": Keys("AKIA0000000000000000", "no-such-secret")},
            "delivery",
            "InvalidAccessKeyId",
            "Correct the keys",
        ),
    ],
)
def test_a_stage_that_cannot_be_loaded(
    place: Place, area: dict[str, Any], step: str, text: str, remedy: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-authorization.html"""
    found = failure(staged(place, area), step)
    assert text in found.text
    assert remedy in found.remedy
    assert "no-such-secret" not in str(found)


def test_a_role_that_the_user_may_not_name(place: Place) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT-usage-notes.html"""
    emulator = place.cluster.emulator
    said = (
        f'User {place.user} does not have ASSUMEROLE permission on IAM role "{ROLE_ARN}" for COPY'
    )
    emulator.inject("^COPY", Refusal("XX000", said))
    failed = failure(place.tried(way="COPY"), "delivery")
    grant = f"GRANT ASSUMEROLE ON '{ROLE_ARN}' TO \"{place.user}\" FOR COPY;"
    assert failed.remedy == f"Let an administrator run: {grant}"


def staged(place: Place, area: dict[str, Any], region: str | None = None) -> Findings:
    """What is found of a stage that differs in these settings; nothing stays in the bucket."""
    before = place.contents()
    destination = replace(place.destination(), copy_from=place.cluster.area(**area))
    found = findings(place.cluster.connection(user=place.user), destination, region)
    assert place.contents() == before
    return found


def test_a_bucket_in_another_region(place: Place) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html"""
    with account("elsewhere") as aws:
        area = {"client": boto3.client("s3", **aws.root), "bucket": "elsewhere"}
        failed = failure(staged(place, area, region="eu-west-1"), "stage region")
        assert failed.text.startswith("The bucket elsewhere is in us-east-1, and the cluster in")
        assert failed.remedy == "Stage in a bucket in eu-west-1."
        alike = staged(place, area, region="us-east-1")["stage region"]
    assert alike.text == "bucket and cluster are in us-east-1"


def test_keys_that_may_not_write(place: Place) -> None:
    reader = place.cluster.s3.reader
    client = place.cluster.client(
        aws_access_key_id=reader.access_key_id, aws_secret_access_key=reader.secret_access_key
    )
    found = staged(place, {"client": client})
    failed = failure(found, "stage put")
    assert "AccessDenied" in failed.text
    assert "`batch-exports setup-sql e --policy stage` prints the policy." in failed.remedy
