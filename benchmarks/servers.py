"""The servers on this machine that rows come from and go to, and what of them contenders see."""

import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch_exports.local import postgres_server, seaweedfs
from batch_exports.local.clickhouse import posthog
from batch_exports.local.clickhouse import server as clickhouse_server
from batch_exports.local.redshift import installation
from batch_exports.local.redshift import part as redshift_part
from benchmarks.task import BUCKET, S3, SCHEMA, ClickHouse, Database

_STARTS_OF_STORE = 4
_POSTGRES_SETTINGS = {"max_wal_size": "8GB"}


@dataclass
class Servers:
    """Those that run, in `folder`: how contenders reach them, and their processes."""

    folder: Path
    s3: S3 | None = None
    postgres: Database | None = None
    redshift: Database | None = None
    clickhouse: ClickHouse | None = None
    processes: list[int] = field(default_factory=list)

    def places(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("s3", "postgres", "redshift", "clickhouse")}

    @property
    def store(self) -> Any:
        """A client of the S3 server."""
        found = seaweedfs.find(self.folder / "s3")
        assert found
        return found.client()

    @property
    def database(self) -> postgres_server.Server:
        found = postgres_server.find(self.folder / "postgres")
        assert found
        return found


@contextmanager
def serving(folder: Path, needs: frozenset[str]) -> Generator[Servers, None, None]:
    """Start what a hop needs of s3, postgres, redshift, clickhouse; stop it at the end."""
    servers = Servers(folder)
    with ExitStack() as stack:
        for name, start in _STARTS.items():
            if name in needs:
                stack.enter_context(start(servers))
        yield servers


@contextmanager
def _s3(servers: Servers) -> Iterator[None]:
    folder = servers.folder / "s3"
    try:
        server = _started_store(folder)
        client = server.client()
        if not any(bucket["Name"] == BUCKET for bucket in client.list_buckets()["Buckets"]):
            client.create_bucket(Bucket=BUCKET)
        keys = server.admin
        servers.s3 = S3(server.endpoint, keys.access_key_id, keys.secret_access_key)
        _remember(servers, server)
        yield
    finally:
        seaweedfs.stop(folder)


def _started_store(folder: Path) -> seaweedfs.Server:
    """On data of an earlier hop the server may answer too late to be set: then it starts anew."""
    for _ in range(_STARTS_OF_STORE - 1):
        try:
            return seaweedfs.start(folder)
        except OSError:
            seaweedfs.stop(folder)
    return seaweedfs.start(folder)


@contextmanager
def _postgres(servers: Servers) -> Iterator[None]:
    folder = servers.folder / "postgres"
    try:
        server = postgres_server.start(folder, _POSTGRES_SETTINGS)
        login = server.exporter
        certificate = str(server.root_certificate)
        servers.postgres = Database(
            server.host, server.port, server.database, login.user, login.password, certificate
        )
        _remember(servers, server)
        yield
    finally:
        postgres_server.stop(folder)


@contextmanager
def _redshift(servers: Servers) -> Iterator[None]:
    try:
        redshift_part.start(servers.folder)
        told = redshift_part.environment(servers.folder)
        login = installation.exporter(servers.database)
        servers.redshift = Database(
            host=servers.database.host,
            port=int(told["BATCH_EXPORTS_LOCAL_REDSHIFT_PORT"]),
            name=told["BATCH_EXPORTS_LOCAL_REDSHIFT_DATABASE"],
            user=login.user,
            password=login.password,
            root_certificate=str(servers.database.root_certificate),
        )
        _remember(servers, redshift_part._find(servers.folder))
        yield
    finally:
        redshift_part.stop(servers.folder)


@contextmanager
def _clickhouse(servers: Servers) -> Iterator[None]:
    folder = servers.folder / "clickhouse"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        server = clickhouse_server.start(folder)
        servers.clickhouse = ClickHouse(server.port, server.user, server.password, posthog.DATABASE)
        _remember(servers, server)
        yield
    finally:
        clickhouse_server.stop(folder)


_STARTS: dict[str, Callable[[Servers], Any]] = {
    "s3": _s3,
    "postgres": _postgres,
    "redshift": _redshift,
    "clickhouse": _clickhouse,
}


def _remember(servers: Servers, server: Any) -> None:
    assert server.process
    servers.processes.append(server.process.pid)


def clear_prefix(servers: Servers, prefix: str) -> None:
    """Delete the objects of an earlier run."""
    client = servers.store
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        objects = [{"Key": item["Key"]} for item in page.get("Contents", ())]
        if objects:
            client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})


def clear_schema(servers: Servers, redshift: bool = False) -> None:
    """Make SCHEMA anew, empty, with the rights that an exporter needs."""
    server = servers.database
    place = servers.redshift if redshift else servers.postgres
    assert place
    with server.connect(autocommit=True, dbname=place.name) as connection:
        for statement in (
            f"DROP SCHEMA IF EXISTS {SCHEMA}, {SCHEMA}_staging CASCADE",
            f"CREATE SCHEMA {SCHEMA}",
            f'GRANT CREATE, USAGE ON SCHEMA {SCHEMA} TO "{place.user}"',
            # Peers make schemas of their own to stage in.
            f'GRANT CREATE ON DATABASE {place.name} TO "{place.user}"',
            "CHECKPOINT",
        ):
            connection.execute(statement.encode())
