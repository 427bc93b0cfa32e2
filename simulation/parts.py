"""What the simulated deployment reaches: servers that are started, stopped and filled for real."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from batch_exports.local import postgres_server, seaweedfs
from batch_exports_tests.automation.alerts.receiver import Receiver

BUCKET = "exports"
_DISK_MIB = 512
_BLOCK = bytes(2**20)


@dataclass
class Parts:
    """An S3 server, the PostgreSQL of an application and that of a warehouse, and the program that
    takes alerts. The warehouse has a disk of its own where one may be mounted."""

    s3: seaweedfs.Server
    app: postgres_server.Server
    warehouse: postgres_server.Server
    receiver: Receiver
    folder: Path
    has_disk: bool

    def stop_s3(self) -> None:
        seaweedfs.stop(self.folder / "s3")

    def start_s3(self) -> None:
        """On a busy machine it may come back on other ports."""
        self.s3 = seaweedfs.start(self.folder / "s3")

    def stop(self, server: postgres_server.Server) -> None:
        postgres_server.stop(server.folder)

    def start(self, server: postgres_server.Server) -> None:
        started = postgres_server.start(server.folder)
        assert started.port == server.port, "its port was taken meanwhile"

    def fill_disk(self) -> None:
        """Until nothing more goes onto the warehouse's disk."""
        with suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(_BLOCK)
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while True:
                file.write(b"0" * 512)

    def empty_disk(self) -> None:
        """The server, which may have given up, is started by whoever made room."""
        self._ballast.unlink()
        self.start(self.warehouse)

    @property
    def _ballast(self) -> Path:
        return self.warehouse.folder / "data" / "ballast"


@contextmanager
def started(folder: Path) -> Iterator[Parts]:
    """All of them, in `folder`; stopped at the end."""
    disk = folder / "warehouse" / "data"
    has_disk = _mount(disk)
    receiver = Receiver()
    try:
        s3 = seaweedfs.start(folder / "s3")
        s3.client().create_bucket(Bucket=BUCKET)
        app = postgres_server.start(folder / "app")
        warehouse = postgres_server.start(folder / "warehouse")
        yield Parts(s3, app, warehouse, receiver, folder, has_disk)
    finally:
        receiver.close()
        seaweedfs.stop(folder / "s3")
        for name in ("app", "warehouse"):
            postgres_server.stop(folder / name)
        if has_disk:
            subprocess.run(["umount", str(disk)], check=True)


def _mount(folder: Path) -> bool:
    folder.mkdir(parents=True)
    if shutil.which("mount") is None or os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
