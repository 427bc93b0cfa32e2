"""Fixtures that all tests share: a real S3 server, and a bucket of one's own on it."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from batch_exports.local import seaweedfs

# Timing never decides a test, however busy the machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if TYPE_CHECKING:
    from batch_exports_tests.deployment import Deployment

# Waits until its input ends, which it does however this process ends, and clears up.
_REAPER = """
import shutil, sys
from pathlib import Path
from batch_exports.local import seaweedfs
sys.stdin.read()
seaweedfs.stop(Path(sys.argv[1]))
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweedfs.Server]:
    """One SeaweedFS for the whole session: `.endpoint`, `.admin`, `.reader`, `.client(keys)`.

    It is killed at the end, even when the test process itself was killed.
    """
    folder: Path = tmp_path_factory.mktemp("s3")
    command = [sys.executable, "-c", _REAPER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as reaper:
        yield seaweedfs.start(folder)
        assert reaper.stdin
        reaper.stdin.close()


@pytest.fixture
def bucket(s3_server: seaweedfs.Server) -> str:
    """The name of a fresh, empty bucket."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def deployment(
    tmp_path: Path, s3_server: seaweedfs.Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator["Deployment"]:
    """An export from an empty lake to an empty bucket; `define` loads it."""
    import dagster as dg  # takes a second, which tests without it need not wait

    from batch_exports_tests.deployment import Deployment

    with dg.DagsterInstance.ephemeral() as instance:
        yield Deployment(tmp_path, s3_server, bucket, instance, monkeypatch)
