"""The log of a run that was one, and the runs that report the same without moving a row."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
# Told by the daemon, which makes and launches runs.
_BY_OTHERS = {
    DagsterEventType.PIPELINE_ENQUEUED,
    DagsterEventType.PIPELINE_STARTING,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
}


@dataclass(frozen=True)
class Recording:
    """All that a run told, as JSON, with the names that stand in it, when it began, a time
    stamp, and how many seconds it took."""

    events: Sequence[str]
    names: Mapping[str, str]
    began: float
    seconds: float

    def told(
        self, which: slice, names: Mapping[str, str], begin: float, seconds: float
    ) -> list[EventLogEntry]:
        """`which` of it, as of another run of these names, which began at `begin`, a time stamp,
        and took so many seconds."""
        told, pace = list[EventLogEntry](), seconds / self.seconds
        for event in self.events[which]:
            text = event
            for known, name in self.names.items():
                text = text.replace(name, names[known])
            entry = deserialize_value(text, EventLogEntry)
            passed = (entry.timestamp - self.began) * pace
            told.append(entry._replace(timestamp=begin + passed))
        return told


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
        if event.dagster_event is None or event.dagster_event.event_type not in _BY_OTHERS
    ]
    began, ended = events[0].timestamp, max(event.timestamp for event in events)
    told = [serialize_value(event) for event in events]
    return Recording(told, {"run": run_id, "export": FIRST, **names}, began, ended - began)
