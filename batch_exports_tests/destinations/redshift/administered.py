"""A cluster as an administrator keeps it: nobody may do there what was not granted."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
import psycopg
import pyarrow as pa
from botocore.config import Config
from psycopg import sql

from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.s3_connection import S3ConnectionResource
from batch_exports.destinations.made_up import made_up_rows
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.authorization import Role
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.policies import policies
from batch_exports.destinations.redshift.setup_sql import setup_sql
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.interval import DataInterval
from batch_exports.local import seaweedfs
from batch_exports.local.postgres_programs import find_programs
from batch_exports.local.redshift.server import Emulator
from batch_exports.models import EVENTS, PERSONS, Model, Projection
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.destinations.rows import HOUR

PASSWORD = "Correct1Horse"
AREA = "stages/"


def documented(model: Model, *more: str) -> Projection:
    """The documented columns, and others."""
    columns = (*model.default_columns["redshift"], *more)
    return Projection(model, model.select(columns, "redshift"), model.membership[0])


BY_KEY, BY_RANGE = documented(EVENTS), documented(EVENTS, "_inserted_at")
MERGED = documented(PERSONS)


def unique() -> str:
    """A name that has to be quoted."""
    return f"a 'name' {uuid.uuid4().hex[:8]}"


@dataclass
class Cluster:
    """A cluster in which nobody may do anything that was not granted."""

    emulator: Emulator
    admin: psycopg.Connection
    s3: seaweedfs.Server
    bucket: str
    hour: int = field(default=0, init=False)

    def psql(self, script: str) -> "subprocess.CompletedProcess[str]":
        """What an administrator's psql makes of the script."""
        login, at = self.emulator.admin, self.emulator
        place = f"{login.user}:{login.password}@{at.host}:{at.port}/{at.database}"
        tls = f"sslmode=verify-full&sslrootcert={at.root_certificate}"
        program = str(find_programs().folder / "psql")
        command = [program, f"postgresql://{place}?{tls}", "--no-psqlrc", "-f", "-"]
        command += ["-v", "ON_ERROR_STOP=1"]
        return subprocess.run(command, input=script, capture_output=True, text=True, check=False)

    def set_up(self, destination: RedshiftDestination, user: str, *, with_tables: bool) -> None:
        done = self.psql(
            script(destination, user, with_tables=with_tables).replace("<password>", PASSWORD)
        )
        assert done.returncode == 0, done.stderr

    def destination(
        self,
        user: str,
        mode: WriteMode,
        projection: Projection,
        *,
        way: str = "INSERT",
        **more: Any,
    ) -> RedshiftDestination:
        connection = self.connection(user=user)
        given = {"name": TableName(unique(), "a 'table"), "export": "e", **more}
        return RedshiftDestination(
            connect=connection.connect,
            address=connection.uri,
            projection=projection,
            write_mode=mode,
            copy_from=self.area() if way == "COPY" else None,
            **given,
        )

    def area(self, **settings: Any) -> StageArea:
        usual: dict[str, Any] = {
            "client": self.client(),
            "bucket": self.bucket,
            "key_prefix": AREA,
            "authorization": Role(ROLE_ARN),
        }
        return StageArea(**usual | settings)

    def client(self, **settings: Any) -> Any:
        keys = self.s3.admin
        usual = {
            "endpoint_url": self.s3.endpoint,
            "aws_access_key_id": keys.access_key_id,
            "aws_secret_access_key": keys.secret_access_key,
            "region_name": "us-east-1",
        }
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        return boto3.client("s3", config=config, **usual | settings)

    def connection(self, **settings: Any) -> RedshiftConnectionResource:
        """What a run gets of a connection."""
        usual: dict[str, Any] = {
            "password": PASSWORD,
            "host": self.emulator.host,
            "port": self.emulator.port,
            "database": self.emulator.database,
            "ssl_root_cert": str(self.emulator.root_certificate),
            "aws": S3ConnectionResource(),
        }
        return RedshiftConnectionResource(**usual | settings)

    def deliver(self, destination: RedshiftDestination) -> DataInterval:
        """An hour, then the same hour again, with all checks; that hour."""
        start = HOUR.start + timedelta(hours=self.hour)
        self.hour += 1
        interval = DataInterval(start, start + timedelta(hours=1))
        rows = made_up_rows(destination.projection, start)
        identity = list(destination.projection.identity)

        @contextmanager
        def source_keys() -> Iterator[pa.RecordBatchReader]:
            keys = rows.select(identity)
            yield pa.RecordBatchReader.from_batches(keys.schema, [keys])

        times = 1 if destination.write_mode == "append" else 2
        for number in range(times):
            batches = pa.RecordBatchReader.from_batches(rows.schema, [rows])
            delivery = destination.write(batches, interval, f"run-{number}")
            assert delivery.rows == 2
        assert destination.inspect(interval, deep=True, source_keys=source_keys).rows == 2
        assert destination.keys(interval, source_keys).duplicates == 0
        assert destination.columns(interval, rows.schema).problems == ()
        if destination.write_mode == "merge":
            assert destination.versions(interval, source_keys).stale == 0
        return interval

    def execute(self, statement: str) -> None:
        self.admin.execute(statement.encode())


def script(destination: RedshiftDestination, user: str, *, with_tables: bool) -> str:
    area = destination.copy_from
    found = policies(area) if area else {}
    return setup_sql(
        destination, user, Emulator.database, "password", found, with_tables=with_tables
    )


@contextmanager
def administered(emulator: Emulator, s3: seaweedfs.Server) -> Iterator[Cluster]:
    """The session's emulator, with a bucket of its own, and what all users may do revoked."""
    database = sql.Identifier(emulator.database)
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=bucket)
    with emulator.connect(autocommit=True) as admin:
        admin.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))
        try:
            yield Cluster(emulator, admin, s3, bucket)
        finally:
            admin.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO PUBLIC").format(database))
