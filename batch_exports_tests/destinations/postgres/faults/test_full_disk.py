"""A full disk of the server: nothing of the delivery is there, and all is once there is space."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal, Transient
from batch_exports.local import postgres_server
from batch_exports.local.postgres_server import Server
from batch_exports_tests.destinations.postgres.faults.fragile import (
    allow_plain_connections,
    cluster,
    new_schema,
)
from batch_exports_tests.destinations.postgres.faults.trial import Trial
from batch_exports_tests.destinations.postgres.faults.ways import MERGE, RANGE, Way
from batch_exports_tests.destinations.rows import HOUR, stream
from batch_exports_tests.destinations.suite import wait_until


@pytest.mark.parametrize("way", [RANGE, MERGE.with_connections(2)], ids=str)
def test_a_full_disk(start_postgres: Callable[..., Server], tmp_path: Path, way: Way) -> None:
    server = start_with_elsewhere(start_postgres, "pg_wal", tmp_path)
    trial = Trial(server, new_schema(server), way)
    ballast = fill(server.folder)
    with pytest.raises(Terminal, match=r"No space left on device \(SQLSTATE 53100.*Free space"):
        trial.destination().write(stream(noise(way)), HOUR, "run-full")
    trial.assert_unchanged()
    ballast.unlink()
    trial.deliver()
    trial.assert_delivered()


def test_a_full_disk_of_the_log(start_postgres: Callable[..., Server], tmp_path: Path) -> None:
    """The server cannot go on, nor start again, before there is space."""
    server = start_with_elsewhere(start_postgres, "base", tmp_path)
    trial = Trial(server, new_schema(server), RANGE)
    ballast = fill(server.folder)
    with pytest.raises((Terminal, Transient)):
        trial.destination().write(stream(noise(RANGE)), HOUR, "run-full")
    wait_until(lambda: not postgres_server.is_running(server))
    with pytest.raises(Transient):
        trial.deliver()
    ballast.unlink()
    postgres_server.start(server.folder)
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


def start_with_elsewhere(
    start_postgres: Callable[..., Server], part: str, elsewhere: Path
) -> Server:
    """A server on a small disk, with a part of its data on another one."""
    folder = start_postgres(disk_mib=120).folder
    postgres_server.stop(folder)
    shutil.move(cluster(folder) / part, elsewhere / part)
    (cluster(folder) / part).symlink_to(elsewhere / part)
    return allow_plain_connections(folder)


def fill(folder: Path) -> Path:
    """Leave 10 MiB, less than a piece of the server's log takes; the file that takes the rest."""
    ballast = folder / "data" / "ballast"
    free = os.statvfs(folder / "data")
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - 10 * 2**20))
    return ballast


def noise(way: Way) -> pa.Table:
    """40 MB that do not compress."""
    rows = way.rows(range(400), lambda _: 3)
    texts = [json.dumps(os.urandom(50_000).hex()) for _ in range(400)]
    values = pa.ExtensionArray.from_storage(pa.json_(), pa.array(texts))
    place = rows.schema.get_field_index("properties")
    return rows.set_column(place, rows.schema.field(place), values)
