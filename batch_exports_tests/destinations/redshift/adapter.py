"""Redshift as the suite of all destinations sees it, and what other tests read of it."""

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import boto3
import psycopg
import pyarrow as pa
from botocore.config import Config
from psycopg import sql
from psycopg.rows import dict_row

from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.authorization import Authorization
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports_tests.destinations.rows import Row, as_rows

TABLE = "events"


@dataclass(frozen=True)
class RedshiftAdapter:
    """A schema, and how to deliver to a table in it: by COPY of files in a bucket, or by INSERT.

    `settings` are defaults of `destination`.
    """

    connection: dict[str, Any]
    schema: str
    endpoint: str | None
    keys: tuple[str, str] | None
    bucket: str
    authorization: Authorization
    mode: str = "COPY"
    settings: dict[str, Any] = field(default_factory=dict)
    region: str = "us-east-1"
    prefix: str = "stage/"

    @property
    def replaced(self) -> str:
        return "[\0\ud800-\udfff]"

    @property
    def refused(self) -> frozenset[str]:
        return frozenset({"400 digits", "long word"})

    @property
    def killed_runs_leave_parts(self) -> bool:
        return self.mode == "COPY"

    def having(self, **settings: Any) -> "RedshiftAdapter":
        return replace(self, settings={**self.settings, **settings})

    def by(self, mode: str) -> "RedshiftAdapter":
        return replace(self, mode=mode)

    def connect(self, application: str = "test") -> psycopg.Connection[Any]:
        connection = psycopg.connect(
            **self.connection, application_name=application, autocommit=True
        )
        # As the product's own connections do.
        connection.execute("SET json_parse_dedup_attributes TO on")
        return connection

    @property
    def client(self) -> Any:
        return _client(self.endpoint, self.keys, self.region)

    def area(self, **settings: Any) -> StageArea:
        return StageArea(
            client=self.client,
            bucket=self.bucket,
            key_prefix=self.prefix,
            authorization=self.authorization,
            **settings,
        )

    def destination(self, projection: Projection, **settings: Any) -> RedshiftDestination:
        given = {"export": "events_table", "table": TABLE, **self.settings, **settings}
        lease = {"lease_seconds": given.pop("lease_seconds")} if "lease_seconds" in given else {}
        given["on_unrepresentable"] = OnUnrepresentable(given.get("on_unrepresentable", "replace"))
        return RedshiftDestination(
            connect=self.connect,
            address=f"redshift://{self.connection['host']}:{self.connection['port']}/dev",
            name=TableName(self.schema, given.pop("table")),
            projection=wide(projection),
            copy_from=self.area(**lease) if self.mode == "COPY" else None,
            **given,
        )

    def execute(self, statement: str, *values: Any) -> list[Row]:
        """`{schema}` and `{table}` stand for the schema and the quoted table."""
        text = statement.format(schema=self.schema, table=f'"{self.schema}"."{TABLE}"')
        with self.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(text, values or None)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def read(self, destination: RedshiftDestination, interval: DataInterval) -> list[Row]:
        """The interval's rows, which the membership column tells, by psycopg's text protocol."""
        column = destination.projection.membership_column
        where = sql.SQL("true")
        if column:
            where = sql.SQL("{0} >= {1} AND {0} < {2}").format(
                sql.Identifier(column), sql.Literal(interval.start), sql.Literal(interval.end)
            )
        return self.rows(destination, where)

    def rows(self, destination: RedshiftDestination, where: sql.Composable) -> list[Row]:
        """Rows of the table as the suite compares them."""
        fields = destination.projection.schema
        statement = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(sql.Identifier(f.name) for f in fields), destination.name.sql, where
        )
        with self.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            if not self._is_there(cursor, destination.name):
                return []
            found = cursor.execute(statement).fetchall()
        return as_rows(_table(found, fields))

    def originals(self, destination: RedshiftDestination, interval: DataInterval) -> list[Row]:
        statement = sql.SQL(
            'SELECT number, part, column_name, original, "row" FROM {} '
            "WHERE export = %s AND interval_start = %s AND interval_end = %s ORDER BY number, part"
        ).format(destination.rejects.sql)
        with self.connect() as connection:
            found = connection.execute(
                statement, [destination.export, interval.start, interval.end]
            ).fetchall()
        findings: dict[int, tuple[str, list[bytes], list[str]]] = {}
        for number, _, column, original, row in found:
            _, originals, rows = findings.setdefault(number, (column, [], []))
            originals.append(_varbyte(original))
            rows.append(row)
        return [
            {
                **{name: _bytes(value) for name, value in json.loads("".join(rows)).items()},
                column: b"".join(originals),
            }
            for column, originals, rows in findings.values()
        ]

    def leftovers(self) -> list[str]:
        """What lies on S3, finished or not; stages are gone with their sessions."""
        place = {"Bucket": self.bucket, "Prefix": self.prefix}
        objects = self.client.list_objects_v2(**place).get("Contents", [])
        uploads = self.client.list_multipart_uploads(**place).get("Uploads", [])
        return [item["Key"] for item in (*objects, *uploads)]

    def has_begun(self) -> bool:
        """Whether the killed run has sent some of its data: a part of a file, or a statement."""
        if self.mode == "COPY":
            return any(not key.endswith("lock.json") for key in self.leftovers())
        found = self.execute(
            "SELECT query FROM pg_stat_activity WHERE application_name LIKE %s", "%run-killed"
        )
        return any(row["query"].startswith("INSERT") for row in found)

    def tamper(
        self, destination: RedshiftDestination, interval: DataInterval, rows: pa.Table
    ) -> None:
        names, table = rows.schema.names, destination.name.sql
        with self.connect() as connection:
            connection.execute(sql.SQL("DELETE FROM {}").format(table))
            for name in set(names) - set(destination.projection.schema.names):
                connection.execute(
                    sql.SQL("ALTER TABLE {} ADD COLUMN {} VARCHAR").format(
                        table, sql.Identifier(name)
                    )
                )
            for name in set(destination.projection.schema.names) - set(names):
                connection.execute(
                    sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(table, sql.Identifier(name))
                )
            supers = {f.name for f in rows.schema if f.type.equals(pa.json_())}
            places = [sql.SQL("JSON_PARSE(%s)" if n in supers else "%s") for n in names]
            insert = sql.SQL("INSERT INTO {} ({}) SELECT {}").format(
                table,
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join(places),
            )
            values = [tuple(row.values()) for row in rows.to_pylist()]
            with connection.cursor() as cursor:
                cursor.executemany(insert, values)

    @staticmethod
    def _is_there(cursor: psycopg.Cursor[Any], name: TableName) -> bool:
        statement = "SELECT 1 FROM svv_columns WHERE table_schema = %s AND table_name = %s"
        return cursor.execute(statement, [name.schema, name.name]).fetchone() is not None


@lru_cache
def _client(endpoint: str | None, keys: tuple[str, str] | None, region: str) -> Any:
    """One for all: to make one takes longer than most requests."""
    access_key, secret_key = keys or (None, None)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=Config(s3={"addressing_style": "path"}) if endpoint else None,
    )


def wide(projection: Projection) -> Projection:
    """Integers of all 64 bits: the documented INTEGER would not hold the suite's extremes."""
    columns = tuple(
        replace(column, types={"redshift": "BIGINT"}) if column.name == "team_id" else column
        for column in projection.columns
    )
    return replace(projection, columns=columns)


def _table(found: list[Row], fields: pa.Schema) -> pa.Table:
    """Rows as Arrow knows them, so that they are compared like those that were sent."""
    columns = [
        pa.ExtensionArray.from_storage(f.type, pa.array([r[f.name] for r in found], pa.string()))
        if f.type.equals(pa.json_())
        else pa.array([r[f.name] for r in found], f.type)
        for f in fields
    ]
    return pa.Table.from_arrays(columns, schema=fields)


def _varbyte(value: Any) -> bytes:
    """VARBYTE is shown in hexadecimal digits."""
    return (
        bytes.fromhex(value.removeprefix("\\x")) if isinstance(value, str) else bytes(value or b"")
    )


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
