"""The demo as it is deployed for good: web server, daemon, code server and two workers, each a
process of its own, with Dagster's storage in PostgreSQL."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import yaml

from batch_exports.local import postgres_server, seaweedfs
from batch_exports.local.lake import lay_lake
from batch_exports.local.redshift.roles import ROLE_ARN
from batch_exports.local.redshift.server import Emulator
from deploy.trial import graphql, services
from deploy.trial.instance import instance_env

BUCKET = "ui-demo"
WORKERS = ("first", "second")
DEMO = Path(services.__file__).parents[2] / "batch_exports/defs/demo/defs.yaml"
REFUSED = "refused"
"""An export beside the demo's, to a bucket that is not there."""


@dataclass(frozen=True)
class Deployed:
    """The demo in its processes, and where it delivers to. `secrets` are all that it was given."""

    services: services.Services
    s3: seaweedfs.Server
    postgres: postgres_server.Server
    secrets: frozenset[str]

    @property
    def url(self) -> str:
        return self.services.url

    @property
    def workers(self) -> set[int]:
        """The processes that do the runs."""
        return {self.services.pids[name] for name in WORKERS}

    def deliver(self, partitions: Mapping[str, str]) -> None:
        """One of each of these exports."""
        runs = [
            run
            for export, key in partitions.items()
            for run in graphql.launch(self.url, f"{export}_job", [key])
        ]
        found = graphql.ended(self.url, runs)
        assert set(found) == {"SUCCESS"}, dict(zip(partitions, found, strict=True))

    def ask_postgres(self, query: LiteralString) -> list[tuple[Any, ...]]:
        with self.postgres.connect(self.postgres.exporter) as connection:
            return connection.execute(query).fetchall()

    def commands(self) -> list[str]:
        """The arguments of all its processes, those that they have started too."""
        mine = f"DAGSTER_HOME={self.services.home}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it is another user's, or has ended
                if mine in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text())
        return found

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """No delivery to PostgreSQL ends meanwhile."""
        with self.postgres.connect() as connection:
            connection.execute("LOCK TABLE exports._batch_exports_ledger")
            yield
            connection.rollback()


@contextmanager
def deployed(
    folder: Path,
    s3: seaweedfs.Server,
    postgres: postgres_server.Server,
    redshift: Emulator,
) -> Iterator[Deployed]:
    """No schedule of it runs, so that only what a test asks for is delivered."""
    lay_lake(folder / "lake")
    s3.client().create_bucket(Bucket=BUCKET)
    home = folder / "home"
    home.mkdir()
    exports = _exports_env(folder, s3, postgres, redshift)
    exports["BATCH_EXPORTS_DEFS"] = str(_write_exports(folder / "defs"))
    instance = instance_env(s3, postgres, BUCKET, database="dagster_ui")
    secrets = {value for name, value in {**exports, **instance}.items() if _is_secret(name)}
    with services.running(home, instance, exports, workers=WORKERS) as running:
        yield Deployed(running, s3, postgres, frozenset(secrets))


def _is_secret(name: str) -> bool:
    return name.endswith(("PASSWORD", "SECRET_ACCESS_KEY"))


def _write_exports(folder: Path) -> Path:
    """The demo's exports, stopped, and one that is refused."""
    documents = list(yaml.safe_load_all(DEMO.read_text()))
    exports = [each for each in documents if each["type"].endswith("BatchExport")]
    for each in exports:
        each["attributes"]["status"] = "stopped"
    (archive,) = (each for each in exports if each["attributes"]["name"] == "purchases_daily")
    other = {"name": REFUSED, "bucket_name": "no-such-bucket"}
    documents.append({**archive, "attributes": {**archive["attributes"], **other}})
    path = folder / "demo" / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump_all(documents))
    return folder


def _exports_env(
    folder: Path, s3: seaweedfs.Server, postgres: postgres_server.Server, redshift: Emulator
) -> dict[str, str]:
    """The variables by which the demo's exports find the parts."""
    values: Mapping[str, object] = {
        "S3_ENDPOINT": s3.endpoint,
        "S3_ACCESS_KEY_ID": s3.admin.access_key_id,
        "S3_SECRET_ACCESS_KEY": s3.admin.secret_access_key,
        "S3_BUCKET": BUCKET,
        "LAKE": folder / "lake",
        "POSTGRES_HOST": postgres.host,
        "POSTGRES_PORT": postgres.port,
        "POSTGRES_DATABASE": postgres.database,
        "POSTGRES_USER": postgres.exporter.user,
        "POSTGRES_PASSWORD": postgres.exporter.password,
        "POSTGRES_ROOT_CERT": postgres.root_certificate,
        "POSTGRES_SCHEMA": "exports",
        "REDSHIFT_HOST": redshift.host,
        "REDSHIFT_PORT": redshift.port,
        "REDSHIFT_DATABASE": redshift.database,
        "REDSHIFT_USER": redshift.exporter.user,
        "REDSHIFT_PASSWORD": redshift.exporter.password,
        "REDSHIFT_ROOT_CERT": redshift.root_certificate,
        "REDSHIFT_SCHEMA": "exports",
        "REDSHIFT_ROLE_ARN": ROLE_ARN,
        "AMPLITUDE": folder / "amplitude",
    }
    return {f"BATCH_EXPORTS_LOCAL_{name}": str(value) for name, value in values.items()}
