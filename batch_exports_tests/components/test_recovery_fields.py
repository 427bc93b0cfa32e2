"""What exports say about gaps and late rows, and what does not fit."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports_tests.automation.sensors import exports
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

POSTGRES = """\
type: batch_exports.PostgresConnection
attributes:
  name: warehouse
  host: db.example.com
  database: analytics
  user: exporter
  password: {env: HOME}
---
type: batch_exports.PostgresBatchExport
attributes:
  name: events_table
  source: lake
  model: events
  start: "2026-11-01"
  connection: warehouse
  schema: exports
"""
LOAD = POSTGRES.replace("source: lake\n  model: events", "load_from: events_archive")
LOAD += "  delay_seconds: 600\n"


def defined(
    folder: Path, monkeypatch: pytest.MonkeyPatch, archive: str = "", other: str = POSTGRES
) -> dg.Definitions:
    text = "---\n".join([CONNECTION, LAKE, EXPORT + archive, other])
    return load(folder, {"a/defs.yaml": text}, monkeypatch)


def sensors(definitions: dg.Definitions) -> set[str]:
    return {sensor.name for sensor in definitions.get_repository_def().sensor_defs}


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps are filled; looking for late rows costs the source something, and is asked for."""
    found = sensors(defined(tmp_path, monkeypatch))
    assert "fill_gaps" in found
    assert not any(name.endswith("_late_data") for name in found)
    recovery = exports()["events_table"].recovery
    assert (recovery.fill_gaps, recovery.lookback) == (timedelta(days=30), timedelta(0))
    assert recovery.runs == 10


def test_a_load_looks_back_as_the_export_that_it_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = defined(tmp_path, monkeypatch, "  lookback: 7 days\n", LOAD)
    assert {"events_archive_late_data", "events_table_late_data"} <= sensors(definitions)
    assert exports()["events_table"].recovery.lookback == timedelta(days=7)
    # What asks the instance alone needs no connection.
    assert not definitions.resolve_sensor_def("events_table_late_data").required_resource_keys
    other = LOAD + '  lookback: "0 days"\n'
    assert "events_table_late_data" not in sensors(
        defined(tmp_path, monkeypatch, "  lookback: 7 days\n", other)
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("lookback: 7", "lookback"),
        ("lookback: a week", "lookback: 'a week' is not a length of time. Write it as N minutes"),
        ("fill_gaps: never", "fill_gaps: 'never' is not a length of time"),
        ("late_data_every: 1 minute", "'1 minute' is too short: each look counts the source's"),
        ("catch_up_runs: 0", "catch_up_runs: 0 is too small. Give 1 or more"),
        ("write_mode: append\n  lookback: 1 day", "lookback: an interval that has late rows is"),
    ],
)
def test_what_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, told: str
) -> None:
    with pytest.raises(InvalidComponent) as caught:
        defined(tmp_path, monkeypatch, other=f"{POSTGRES}  {lines}\n")
    assert told in str(caught.value)


def test_appending_loads_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defined(tmp_path, monkeypatch, "  lookback: 7 days\n", LOAD + "  write_mode: append\n")
    assert exports()["events_table"].recovery.lookback == timedelta(0)
