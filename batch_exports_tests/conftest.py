"""Fixtures that all tests share: real servers, and on each a place of one's own."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from botocore.exceptions import ClientError
from dagster.components.core import load_defs
from hypothesis import HealthCheck, settings
from psycopg import sql

from batch_exports.local import postgres_server as postgres
from batch_exports.local import seaweedfs
from batch_exports.local.redshift.roles import ROLE_ARN
from batch_exports.local.redshift.server import Emulator, serving
from batch_exports.local.unsynced import leave_sqlite_unsynced

# Timing never decides a test, however busy the machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if TYPE_CHECKING:
    from batch_exports_tests.components.postgres_warehouse import Warehouse as PostgresWarehouse
    from batch_exports_tests.components.redshift_warehouse import Warehouse as RedshiftWarehouse
    from batch_exports_tests.deployment import Deployment

# Waits until its input ends, which it does however this process ends, and clears up.
_REAPER = """
import shutil, subprocess, sys
from importlib import import_module
from pathlib import Path
sys.stdin.read()
folder = Path(sys.argv[2])
import_module(sys.argv[1]).stop(folder)
if (folder / "data").is_mount():
    subprocess.run(["umount", folder / "data"], check=True)
shutil.rmtree(folder, ignore_errors=True)
"""


@contextmanager
def _reaped(module: str, folder: Path) -> Iterator[None]:
    """Stop the server that `module` starts in `folder` at the end, even when this process is
    killed."""
    command = [sys.executable, "-c", _REAPER, module, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as reaper:
        yield
        assert reaper.stdin
        reaper.stdin.close()


_LONGEST = ("test_demo.py", "test_demo_pages.py", "simulation/test_year.py", "test_property.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no processor waits for one in the end."""
    items.sort(key=lambda item: not any(file in item.nodeid for file in _LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _component_types_are_described_once() -> Iterator[None]:
    """Dagster writes the UI's descriptions of all component types for each load anew."""
    described = load_defs.get_library_json_enriched_defs(None).metadata
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            load_defs,
            "get_library_json_enriched_defs",
            lambda tree: dg.Definitions(metadata=described, component_tree=tree),
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def unsynced_sqlite() -> None:
    """No test needs to find its instance again after a power failure."""
    leave_sqlite_unsynced()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweedfs.Server]:
    """One SeaweedFS for the whole session: `.endpoint`, `.admin`, `.reader`, `.client(keys)`."""
    folder = tmp_path_factory.mktemp("s3")
    with _reaped(seaweedfs.__name__, folder):
        yield seaweedfs.start(folder)


@pytest.fixture
def bucket(s3_server: seaweedfs.Server) -> Iterator[str]:
    """The name of a fresh, empty bucket."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    client = s3_server.client()
    client.create_bucket(Bucket=name)
    yield name
    with suppress(ClientError):
        client.delete_bucket(Bucket=name)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    """One PostgreSQL for the whole session: `.connect(login)`, `.admin`, `.exporter`."""
    folder = tmp_path_factory.mktemp("postgres")
    with _reaped(postgres.__name__, folder):
        yield postgres.start(folder)


@pytest.fixture
def start_postgres(tmp_path: Path) -> Iterator[Callable[..., postgres.Server]]:
    """Starts another server, with PostgreSQL's own settings, for a test to kill:
    `start_postgres(max_prepared_transactions="5")`.

    `disk_mib` puts its data on a disk of so many MiB for a test to fill, and is not for all users;
    an empty server takes about 50. What stops and starts it again are the functions of
    batch_exports.local.postgres_server, given `server.folder`.
    """
    with ExitStack() as reapers:

        def start(disk_mib: int | None = None, **settings: str) -> postgres.Server:
            folder = tmp_path / f"postgres-{uuid.uuid4().hex[:12]}"
            reapers.enter_context(_reaped(postgres.__name__, folder))
            if disk_mib:
                _mount_disk(folder / "data", disk_mib)
            return postgres.start(folder, settings)

        yield start


def _mount_disk(folder: Path, mib: int) -> None:
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"no disk may be mounted here: {mounted.stderr}")


@pytest.fixture
def postgres_schema(postgres_server: postgres.Server) -> str:
    """The name of a fresh, empty schema, granted to the exporter as the documentation asks for."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    schema, user = sql.Identifier(name), sql.Identifier(postgres_server.exporter.user)
    with postgres_server.connect() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(sql.SQL("GRANT CREATE ON SCHEMA {} TO {}").format(schema, user))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, user))
    return name


@pytest.fixture(scope="session")
def redshift_emulator(
    postgres_server: postgres.Server, s3_server: seaweedfs.Server
) -> Iterator[Emulator]:
    """One emulator of Redshift for the whole session: `.connect(login)`, `.admin`, `.exporter`,
    `.inject(...)`, `.statements`. Its COPY and UNLOAD reach `s3_server` as the role ROLE_ARN."""
    keys = (s3_server.admin.access_key_id, s3_server.admin.secret_access_key)
    with serving(postgres_server, s3_server.endpoint, {ROLE_ARN: keys}) as emulator:
        yield emulator


@pytest.fixture
def redshift(redshift_emulator: Emulator) -> Iterator[Emulator]:
    """The session's emulator, that has seen nothing and fails nothing."""
    redshift_emulator.clear()
    yield redshift_emulator
    redshift_emulator.clear()


@pytest.fixture
def redshift_schema(redshift_emulator: Emulator) -> str:
    """The name of a fresh, empty schema, granted to the exporter as the documentation asks for."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    schema = sql.Identifier(name)
    user = sql.Identifier(redshift_emulator.exporter.user)
    with redshift_emulator.connect() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(sql.SQL("GRANT CREATE ON SCHEMA {} TO {}").format(schema, user))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, user))
    return name


@pytest.fixture
def deployment(
    tmp_path: Path, s3_server: seaweedfs.Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator["Deployment"]:
    """An export from an empty lake to an empty bucket; `define` loads it."""
    from batch_exports_tests.deployment import Deployment

    with dg.DagsterInstance.ephemeral() as instance:
        yield Deployment(tmp_path, s3_server, bucket, instance, monkeypatch)


@pytest.fixture
def warehouse(
    tmp_path: Path,
    postgres_server: postgres.Server,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator["PostgresWarehouse"]:
    """An export from an empty lake to an empty schema of PostgreSQL; `define` loads it."""
    from batch_exports_tests.components.postgres_warehouse import Warehouse

    with dg.DagsterInstance.ephemeral() as instance:
        yield Warehouse(tmp_path, postgres_server, postgres_schema, monkeypatch, instance)


@pytest.fixture
def cluster(
    tmp_path: Path,
    redshift: Emulator,
    s3_server: seaweedfs.Server,
    bucket: str,
    redshift_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator["RedshiftWarehouse"]:
    """An export from an empty lake to an empty schema of Redshift; `define` loads it."""
    from batch_exports_tests.components.redshift_warehouse import Warehouse

    with dg.DagsterInstance.ephemeral() as instance:
        yield Warehouse(
            tmp_path, redshift, s3_server, bucket, redshift_schema, monkeypatch, instance
        )
