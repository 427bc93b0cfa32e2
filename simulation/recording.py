"""The log of a run that was one, and the runs that report the same without moving a row."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import dagster as dg
from dagster import DagsterEventType, EventLogEntry
from dagster._serdes import deserialize_value, serialize_value

from batch_exports.local import seaweedfs
from batch_exports.local.generator import write_lake

BUCKET = "exports"
FIRST = "export_000"
_ROWS = 500
_SETTINGS = "telemetry: {enabled: false}\nnux: {enabled: false}\n"
# What becomes of a run is told by these as well as by its log.
_BEGINS = DagsterEventType.RUN_START
_NOT_OF_THE_RUN = ("PIPELINE_ENQUEUED", "PIPELINE_STARTING")


@dataclass(frozen=True)
class Recording:
    """All that a run told, as JSON, with the names that stand in it, and how long it took."""

    events: Sequence[str]
    names: Mapping[str, str]
    seconds: float

    def told(
        self, names: Mapping[str, str], begin: datetime, seconds: float
    ) -> list[EventLogEntry]:
        """The same of another run, which began then and took so many seconds."""
        told = []
        for event in self.events:
            for known, text in self.names.items():
                event = event.replace(text, names[known])
            told.append(deserialize_value(event, EventLogEntry))
        first = told[0].timestamp
        pace = seconds / max(self.seconds, 1e-6)
        return [
            each._replace(timestamp=begin.timestamp() + (each.timestamp - first) * pace)
            for each in told
        ]


def record(folder: Path, defs: Path, job: str, key: str, begin: datetime) -> Recording:
    """Run the first interval of the exports in `defs` for real, in processes of its own: a lake of
    some rows to S3, with all checks."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(_SETTINGS)
    end = begin + timedelta(minutes=5)
    write_lake(folder / "lake", _ROWS, start=begin, end=end, files=1, hostile_share=0)
    s3 = seaweedfs.start(folder / "s3")
    try:
        s3.client().create_bucket(Bucket=BUCKET)
        variables = {
            "DAGSTER_HOME": str(home),
            "BATCH_EXPORTS_DEFS": str(defs),
            "LAKE": str(folder / "lake"),
            "S3_ENDPOINT": s3.endpoint,
            "S3_KEY_ID": s3.admin.access_key_id,
            "S3_SECRET": s3.admin.secret_access_key,
        }
        with patch.dict(os.environ, variables), dg.DagsterInstance.get() as instance:
            run_id = _execute(instance, job, key)
            return _recorded(instance, run_id, {"job": job, "key": key})
    finally:
        seaweedfs.stop(folder / "s3")


def _execute(instance: dg.DagsterInstance, job: str, key: str) -> str:
    command = [sys.executable, "-m", "dagster", "job", "execute"]
    command += ["-m", "batch_exports.definitions", "-j", job]
    command += ["--tags", json.dumps({"dagster/partition": key})]
    subprocess.run(command, check=True, capture_output=True)
    (run,) = instance.get_runs()
    assert run.is_success, f"the run that is to be recorded is {run.status}"
    return run.run_id


def _recorded(instance: dg.DagsterInstance, run_id: str, names: Mapping[str, str]) -> Recording:
    events = [
        event
        for event in instance.all_logs(run_id)
        if not (event.dagster_event and event.dagster_event_type_value in _NOT_OF_THE_RUN)
    ]
    seconds = events[-1].timestamp - events[0].timestamp
    return Recording(
        [serialize_value(event) for event in events],
        {"run": run_id, "export": FIRST, **names},
        seconds,
    )
