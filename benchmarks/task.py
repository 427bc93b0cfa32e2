"""What a contender is asked to do, as plain data that goes to its process by standard input."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

BUCKET = "bench"
SCHEMA = "bench"
ROLE = "arn:aws:iam::123456789012:role/batch-exports-copy"
"""The role by which the emulator of Redshift reads S3."""
EVENT_FILE_COLUMNS = (
    "uuid",
    "event",
    "distinct_id",
    "timestamp",
    "properties",
    "person_id",
    "person_properties",
    "elements_chain",
    "created_at",
    "inserted_at",
)
"""The lake's columns that go to files."""
EVENT_TABLE_COLUMNS = (
    "uuid",
    "event",
    "properties",
    "set",
    "set_once",
    "distinct_id",
    "team_id",
    "ip",
    "timestamp",
)
"""The lake's columns that go to tables. `elements` and `site_url` are NULL in all rows."""
PERSON_COLUMNS = (
    "team_id",
    "distinct_id",
    "person_id",
    "properties",
    "person_distinct_id_version",
    "person_version",
    "created_at",
)
COLUMN_TYPES = {
    **dict.fromkeys(("uuid", "event", "distinct_id", "ip", "person_id"), "varchar"),
    **dict.fromkeys(("elements_chain", "site_url"), "text"),
    **dict.fromkeys(("properties", "person_properties", "set", "set_once", "elements"), "jsonb"),
    **dict.fromkeys(("team_id", "person_distinct_id_version", "person_version"), "int4"),
    **dict.fromkeys(("timestamp", "created_at", "inserted_at"), "timestamptz"),
}
"""PostgreSQL's types, for contenders that need a table to load."""


@dataclass(frozen=True)
class S3:
    endpoint: str
    key_id: str
    secret: str
    region: str = "us-east-1"

    @property
    def host(self) -> str:
        """The endpoint without its scheme."""
        return self.endpoint.removeprefix("http://")


@dataclass(frozen=True)
class Database:
    """A PostgreSQL, or the emulator of Redshift, over TLS."""

    host: str
    port: int
    name: str
    user: str
    password: str
    root_certificate: str

    @property
    def url(self) -> str:
        tls = {"sslmode": "verify-full", "sslrootcert": self.root_certificate}
        place = f"{self.host}:{self.port}/{self.name}?{urlencode(tls, quote_via=quote)}"
        return f"postgresql://{self.user}:{quote(self.password)}@{place}"

    @property
    def url_of_rust(self) -> str:
        """The same, encrypted all the same, for a driver that knows no verify-full."""
        return self.url.replace("verify-full", "require")


@dataclass(frozen=True)
class ClickHouse:
    port: int
    user: str
    password: str
    database: str


@dataclass(frozen=True)
class Task:
    """Move the lake's rows over the hop.

    `folder` is empty, and goes when the run has ended. Objects go below `prefix` in BUCKET, tables
    into SCHEMA, which is empty but for what the hop's source is. What a hop does not need is None.
    """

    hop: str
    lake: Path
    folder: Path
    prefix: str
    s3: S3 | None = None
    postgres: Database | None = None
    redshift: Database | None = None
    clickhouse: ClickHouse | None = None

    def files(self, model: str) -> Sequence[str]:
        """The lake's files, in order."""
        return [str(path) for path in sorted((self.lake / model).glob("*.parquet"))]

    def dump(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def load(cls, text: str) -> "Task":
        given: dict[str, Any] = json.loads(text)
        kinds = {"s3": S3, "postgres": Database, "redshift": Database, "clickhouse": ClickHouse}
        for name in (field.name for field in fields(cls)):
            if name in kinds and given[name] is not None:
                given[name] = kinds[name](**given[name])
        return cls(**given | {"lake": Path(given["lake"]), "folder": Path(given["folder"])})
