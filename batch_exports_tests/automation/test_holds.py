"""Which schedules are stopped: by what was said last, and else by their definition."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from batch_exports.automation.holds import stopped_schedules
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

SAID = {
    "events_stopped": InstigatorStatus.STOPPED,
    "events_started": InstigatorStatus.RUNNING,
    "events_reset": InstigatorStatus.DECLARED_IN_CODE,
}
DEFINED = {"events_stopped": "running", "events_started": "stopped", "events_reset": "stopped"}


def test_schedules_that_do_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defined = {**DEFINED, "events_usual": "running", "events_off": "stopped"}
    texts = [
        EXPORT.replace("events_archive", name) + f"  key_prefix: {name}/\n  status: {status}\n"
        for name, status in defined.items()
    ]
    text = "---\n".join([CONNECTION, LAKE, *texts])
    definitions = load(tmp_path / "defs", {"a/defs.yaml": text}, monkeypatch)
    place = InProcessCodeLocationOrigin(LoadableTargetOrigin(), location_name="here")
    origin = RemoteRepositoryOrigin(place, "__repository__")
    home = tmp_path / "dagster"
    home.mkdir()
    telemetry = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(home), overrides=telemetry) as instance:
        for name, status in SAID.items():
            of_schedule = origin.get_instigator_origin(f"{name}_schedule")
            data = ScheduleInstigatorData("0 * * * *")
            state = InstigatorState(of_schedule, InstigatorType.SCHEDULE, status, data)
            instance.add_instigator_state(state)
        with dg.build_sensor_context(
            instance=instance, repository_def=definitions.get_repository_def()
        ) as context:
            stopped = stopped_schedules(context)
    assert stopped == {"events_stopped_schedule", "events_reset_schedule", "events_off_schedule"}
