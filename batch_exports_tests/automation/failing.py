"""An export of which partitions can be made to fail, truly, and to succeed again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from batch_exports.export import Export
from batch_exports.local import seaweedfs
from batch_exports_tests.automation.sensors import exports
from batch_exports_tests.deployment import Deployment

NAME = "events_archive"


class FailingExport(Deployment):
    """Hours whose event is `broken` cannot be delivered: the run fails with a Terminal error."""

    def broken(self, *hours: int) -> None:
        self._put(hours, "{broken")

    def mended(self, *hours: int) -> None:
        self._put(hours, "{}")

    def _put(self, hours: tuple[int, ...], properties: str) -> None:
        for hour in hours:
            self.put_events(f"hour-{hour}", {"hour": hour + 0.5, "properties": properties})

    def define(self, *lines: str, endpoint: str | None = None) -> None:
        super().define("on_unrepresentable: fail", *lines, endpoint=endpoint)
        self.export: Export = exports()[NAME]

    def runs(self, *hours: int) -> list[bool]:
        """Whether each hour's run succeeded, in that order."""
        return [self.run(hour_key(hour)).success for hour in hours]


def hour_key(hour: int) -> str:
    return f"2026-11-01-{hour:02}:00"


@contextmanager
def failing_export(
    folder: Path, server: seaweedfs.Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FailingExport]:
    """With an instance as the daemon has one: in a folder."""
    home = folder / "dagster"
    home.mkdir()
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(home), overrides=quiet) as instance:
        yield FailingExport(folder, server, bucket, instance, monkeypatch)
