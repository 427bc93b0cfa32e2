"""What is pruned of Dagster's memory is nothing that anything is read from."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from psycopg import sql

from batch_exports.automation.breaker import failures_in_a_row
from batch_exports.automation.gap_sensor import fill
from batch_exports.cli import main
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.history.prune import Pruned, check_age, prune
from batch_exports.local import postgres_server as postgres
from batch_exports.local import seaweedfs
from batch_exports_tests.automation.failing import FailingExport, hour_key
from batch_exports_tests.automation.scheduled import make_export
from batch_exports_tests.automation.sensors import Ticks
from batch_exports_tests.deployment import ASSET, CONNECTION, EXPORT, LAKE, check_key, load

KEYS = [hour_key(hour) for hour in range(6)]
CHECKS = ("row_count", "keys")
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, Any]:
    """Where an instance keeps runs and events."""
    if request.param == "sqlite":
        return {}
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"dagster_{uuid.uuid4().hex[:12]}"
    with server.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = server.url(server.admin).replace(f"/{server.database}?", f"/{name}?")
    return {"storage": {"postgres": {"postgres_url": url}}}


@pytest.fixture
def lived(
    storage: Mapping[str, Any],
    tmp_path: Path,
    s3_server: seaweedfs.Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FailingExport]:
    """Hours: delivered once, twice, after a failure, failed for good, and two in one run."""
    (tmp_path / "dagster").mkdir()
    settings = {"telemetry": {"enabled": False}, **storage}
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=settings) as instance:
        export = FailingExport(tmp_path, s3_server, bucket, instance, monkeypatch)
        export.define('end: "2026-11-01T06:00"')
        export.broken(2, 3)
        export.mended(0, 1, 4, 5)
        assert export.runs(0, 1, 1, 2) == [True, True, True, False]
        export.mended(2)
        assert export.runs(2, 3) == [True, False]
        assert export.run_range(KEYS[4], KEYS[5], checked=False).success
        yield export


def known(lived: FailingExport) -> dict[str, Any]:
    """All that schedules, sensors and people read of the partitions."""
    instance, export = lived.instance, lived.export
    storage = instance.event_log_storage
    ticks = Ticks(lived.definitions, instance)
    asked = list[str]()
    for moment in (datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 2, 0, 1, tzinfo=UTC)):
        with ticks.context() as context:
            asked += ticks.take(fill(context, {export.name: export}, moment))[0]
    checked = {
        (check, key): [
            (each.run_id, each.status, each.event and each.event.timestamp)
            for each in storage.get_asset_check_execution_history(
                check_key(check), limit=1, partition_filter=PartitionKeyFilter(key=key)
            )
        ]
        for check in CHECKS
        for key in KEYS
    }
    return {
        "status": dict(instance.get_status_by_partition(ASSET, KEYS, export.partitions) or {}),
        "delivered": instance.get_materialized_partitions(ASSET),
        "last": _last(instance),
        "metadata": {key: lived.metadata(key) for key in KEYS if key != KEYS[3]},
        "failures": [r.dagster_run.run_id for r in failures_in_a_row(instance, export, limit=5)],
        "gaps": asked,
        "checks": checked,
    }


def test_what_is_told_of_partitions_stays(lived: FailingExport) -> None:
    before, later = known(lived), datetime.now(UTC) + DAY
    logs = 0 if _keeps_files(lived.instance) else 5
    assert prune(lived.instance, later - 2 * DAY) == Pruned(0, 0, 0)
    assert prune(lived.instance, later, only_count=True) == Pruned(7, 2, logs)
    assert len(lived.instance.get_run_records()) == 7
    assert prune(lived.instance, later) == Pruned(7, 2, logs)
    assert known(lived) == before
    assert len(lived.instance.get_run_records()) == 5
    assert prune(lived.instance, later) == Pruned(5, 0, 0)
    # What was looked at more than a week before is not looked at again.
    prune(lived.instance, later + 14 * DAY)
    assert prune(lived.instance, later + 14 * DAY) == Pruned(0, 0, 0)
    if logs:
        left = _kinds(lived, KEYS[0])
        assert dg.DagsterEventType.RUN_SUCCESS in left
        assert dg.DagsterEventType.ASSET_CHECK_EVALUATION in left
        assert dg.DagsterEventType.STEP_OUTPUT not in left
        assert dg.DagsterEventType.STEP_FAILURE in _kinds(lived, KEYS[3])
    # What is kept is kept for a reason: without the run a delivery is gone.
    lived.instance.delete_run(_run(lived, KEYS[0]))
    assert _last(lived.instance) != before["last"]


def _last(instance: dg.DagsterInstance) -> dict[str, int]:
    """The number of each partition's last delivery."""
    delivered = dg.DagsterEventType.ASSET_MATERIALIZATION
    return dict(instance.get_latest_storage_id_by_partition(ASSET, delivered, {*KEYS}))


def _keeps_files(instance: dg.DagsterInstance) -> bool:
    return isinstance(instance.event_log_storage, SqliteEventLogStorage)


def _kinds(lived: FailingExport, key: str) -> set[dg.DagsterEventType | None]:
    return {each.dagster_event_type for each in lived.instance.all_logs(_run(lived, key))}


def _run(lived: FailingExport, key: str) -> str:
    (run,) = lived.instance.get_runs(dg.RunsFilter(tags={"dagster/partition": key}))
    return run.run_id


@pytest.mark.parametrize(("fields", "days"), [({}, 31), ({"lookback": "50 days"}, 51)])
def test_runs_that_sensors_look_at_are_too_young(fields: dict[str, Any], days: int) -> None:
    export: Export = make_export(**fields)
    check_age([export], days * DAY)
    with pytest.raises(ConfigurationError, match=f"Give {days} days or more"):
        check_age([export], (days - 1) * DAY)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    documents = "---\n".join([CONNECTION, LAKE, EXPORT])
    load(tmp_path / "defs", {"a/defs.yaml": documents}, monkeypatch)
    asked = CliRunner().invoke(main, ["prune", "--older-than", "31 days"])
    assert asked.exit_code == 0, asked.output
    assert asked.output.endswith(
        "0 runs are older than 31 days: 0 would be deleted, the logs of 0 would be made shorter.\n"
        "Nothing was changed. Run it with --yes to do it.\n"
    )
    refused = CliRunner().invoke(main, ["prune", "--older-than", "7 days", "--yes"])
    assert "events_archive looks back 30 d" in refused.output
