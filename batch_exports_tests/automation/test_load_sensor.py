"""Loads of files that were delivered anew are done again."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from batch_exports.automation.gap_sensor import fill
from batch_exports.automation.load_sensor import look
from batch_exports.automation.schedules import evaluate
from batch_exports.automation.ticks import build_ticks
from batch_exports_tests.automation.sensors import Ticks, at, exports
from batch_exports_tests.components.test_recovery_fields import LOAD, defined

HOURS = [f"2026-11-01-{hour:02}:00" for hour in range(6)]


def test_loads_older_than_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In intervals of their own, each of some of the files'."""
    archive = '  lookback: 5000 weeks\n  end: "2026-11-01T06:00"\n'
    other = LOAD + '  interval: every 2 hours\n  end: "2026-11-01T06:00"\n'
    definitions = defined(tmp_path, monkeypatch, archive, other)
    files, load = exports()["events_archive"], exports()["events_table"]
    now = at("2026-11-22T00:00")
    with dg.DagsterInstance.ephemeral() as instance:
        ticks = Ticks(definitions, instance)

        def tick(later: int) -> tuple[list[str], str]:
            with ticks.context() as context:
                return ticks.take(look(context, load, now + timedelta(minutes=later)))

        ticks.deliver(files, HOURS)
        ticks.deliver(load, [HOURS[0], HOURS[2]])
        assert tick(0)[1].startswith("3 intervals looked at; 0 were loaded before their files")
        ticks.deliver(files, [HOURS[1], HOURS[5]])
        assert tick(5)[0] == [HOURS[0]]
        assert ticks.requested[0].tags["batch_exports/trigger"] == "stale load"
        run = ticks.begin(load, HOURS[0])
        assert tick(10)[0] == []
        ticks.deliver(load, [HOURS[0]])
        instance.delete_run(run)
        assert tick(15) == (
            [],
            "3 intervals looked at; 0 were loaded before their files were delivered again; "
            "requested 0.",
        )


def test_loads_wait_for_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a standstill: a schedule asks for the newest load, the parts of which are gaps."""
    archive = '  end: "2026-11-01T06:00"\n'
    other = LOAD + '  interval: every 2 hours\n  end: "2026-11-01T06:00"\n'
    definitions = defined(tmp_path, monkeypatch, archive, other)
    files, load = exports()["events_archive"], exports()["events_table"]
    moment = at("2026-11-01T06:11")
    schedule = build_ticks(load)
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        ticks = Ticks(definitions, instance)

        def asked() -> list[str]:
            context = dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=moment,
                repository_def=definitions.get_repository_def(),
            )
            result = evaluate(load, schedule, load.job_name, context, moment, moment)
            if isinstance(result, dg.SkipReason):
                assert "The files that it loads are not there" in str(result.skip_message)
                return []
            return [str(request.partition_key) for request in result]

        def gaps() -> tuple[list[str], str]:
            with ticks.context() as context, dg.partition_loading_context(effective_dt=late):
                return ticks.take(fill(context, {load.name: load}, late))

        ticks.deliver(files, HOURS[:5])
        ticks.deliver(load, [HOURS[0]])
        assert asked() == []
        late = at("2026-11-01T07:00")
        assert gaps()[0] == [HOURS[2]]
        ticks.deliver(files, [HOURS[5]])
        assert asked() == [HOURS[4]]
        late = at("2026-11-01T07:01")
        assert HOURS[4] in gaps()[0]
