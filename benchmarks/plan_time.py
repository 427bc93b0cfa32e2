"""How long many exports take to load, and what their schedules and sensors take when they tick."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ALL = """\
type: batch_exports.S3Connection
attributes: {name: s3, region: us-east-1}
---
type: batch_exports.LakeSource
attributes: {name: lake, path: /nowhere}
"""
_EXPORT = """\
---
type: batch_exports.S3BatchExport
attributes:
  name: export_{number}
  source: lake
  model: events
  interval: hour
  start: "{start}"
  connection: s3
  bucket_name: bench
  key_prefix: "{number}/"
"""


def measure(folder: Path, exports: int) -> dict[str, Any]:
    """In a fresh process: seconds to import Dagster, to load the definitions beyond that; then CPU
    seconds of the ticks of all schedules, and of each sensor of all exports."""
    folder.mkdir(parents=True, exist_ok=True)
    start = f"{datetime.now(UTC):%Y-%m-01}"
    text = _ALL + "".join(_EXPORT.format(number=one, start=start) for one in range(exports))
    (folder / "defs.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.plan_time"],
        env=os.environ | {"BATCH_EXPORTS_DEFS": str(folder)},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"exports": exports, "told": _told(exports, found)}


def _told(exports: int, found: dict[str, float]) -> dict[str, str]:
    ticks = {name: value for name, value in found.items() if name.startswith("sensor ")}
    return {
        "import of Dagster": f"{found['import']:.1f} s",
        f"load of {exports} exports, beyond that": f"{found['load']:.1f} s",
        "tick of a schedule": f"{found['schedules'] / exports * 1000:.1f} ms",
        **{
            f"tick of {name.removeprefix('sensor ')}, by export": f"{value / exports * 1000:.1f} ms"
            for name, value in ticks.items()
        },
    }


def _measure_here() -> dict[str, float]:
    began = time.perf_counter()
    import dagster as dg

    imported = time.perf_counter()
    from batch_exports.definitions import load_definitions

    definitions = load_definitions()
    repository = definitions.get_repository_def()
    loaded = time.perf_counter()
    found = {"import": imported - began, "load": loaded - imported}
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(overrides=quiet) as instance:
        cpu = time.process_time()
        for schedule in repository.schedule_defs:
            now = datetime.now(UTC).replace(minute=1, second=0, microsecond=0)
            with dg.build_schedule_context(
                instance=instance, scheduled_execution_time=now, repository_def=repository
            ) as context:
                schedule.evaluate_tick(context)
        found["schedules"] = time.process_time() - cpu
        for sensor in repository.sensor_defs:
            # The first tick of a process imports what it needs.
            for _ in range(2):
                cpu = time.process_time()
                with dg.build_sensor_context(
                    instance=instance, repository_def=repository
                ) as context:
                    sensor.evaluate_tick(context)
                found[f"sensor {sensor.name}"] = time.process_time() - cpu
    return found


if __name__ == "__main__":
    print(json.dumps(_measure_here()))
