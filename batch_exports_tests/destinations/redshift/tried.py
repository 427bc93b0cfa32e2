"""A Redshift destination tried by its steps, and what is there before and after."""

from contextlib import closing
from dataclasses import replace
from typing import Any, LiteralString

from psycopg import sql

from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.attempt import Attempt
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.probe import BY_COPY, BY_INSERT
from batch_exports.probe import Finding, probe
from batch_exports_tests.destinations.redshift.administered import (
    BY_KEY,
    PASSWORD,
    Cluster,
    unique,
)

Findings = dict[str, Finding]


class Place:
    """A schema, and a user who has the rights that an export needs there."""

    def __init__(self, cluster: Cluster, *, with_tables: bool = False, **settings: Any) -> None:
        self.cluster = cluster
        self.user = unique()
        self.name = TableName(unique(), "events")
        self.settings = settings
        cluster.set_up(self.destination(), self.user, with_tables=with_tables)

    def destination(self, **settings: Any) -> RedshiftDestination:
        usual: dict[str, Any] = {"mode": "replace", "projection": BY_KEY, "name": self.name}
        return self.cluster.destination(self.user, **usual | self.settings | settings)

    def tried(self, *, region: str | None = "us-east-1", **settings: Any) -> Findings:
        """What the steps find, and that they leave nothing; settings of the destination."""
        before = self.contents()
        connection = self.cluster.connection(user=self.user)
        found = findings(connection, self.destination(**settings), region)
        assert self.contents() == before
        return found

    def contents(self) -> list[Any]:
        """Each table of the schema with its rows, and what lies in the bucket."""
        admin = self.cluster.admin
        tables = admin.execute(
            "SELECT c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind = 'r' ORDER BY c.relname",
            [self.name.schema],
        ).fetchall()
        names = [sql.Identifier(self.name.schema, name) for name, _ in tables]
        rows = [admin.execute(sql.SQL("SELECT * FROM {}").format(n)).fetchall() for n in names]
        client, bucket = self.cluster.s3.client(), self.cluster.bucket
        objects = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        return [tables, rows, objects, uploads]

    def execute(self, statement: LiteralString) -> None:
        """`{table}`, `{schema}`, `{database}` and `{user}` stand for these."""
        names = {
            "table": self.name.sql,
            "schema": sql.Identifier(self.name.schema),
            "database": sql.Identifier(self.cluster.emulator.database),
            "user": sql.Identifier(self.user),
        }
        self.cluster.admin.execute(sql.SQL(statement).format(**names))


def findings(
    connection: RedshiftConnectionResource,
    destination: RedshiftDestination,
    region: str | None = None,
) -> Findings:
    attempt = Attempt(
        replace(destination, connect=connection.connect, address=connection.uri),
        connection.host,
        connection.port,
        connection.ssl_mode,
        connection.trusted,
        connection.connect_timeout_seconds,
        region,
    )
    steps = BY_COPY if destination.copy_from else BY_INSERT
    with closing(attempt):
        found = {result.step: result.finding for result in probe(steps, attempt)}
    assert list(found) == [step.name for step in steps]
    assert PASSWORD not in str(found)
    return found


def failure(found: Findings, step: str) -> Finding:
    """That of the step: none before it fails, and all after it are skipped."""
    verdicts = {name: finding.verdict for name, finding in found.items()}
    assert [name for name, verdict in verdicts.items() if verdict == "failed"] == [step], found
    later = list(verdicts.values())[list(verdicts).index(step) + 1 :]
    assert set(later) <= {"skipped"}
    assert found[step].remedy
    return found[step]
