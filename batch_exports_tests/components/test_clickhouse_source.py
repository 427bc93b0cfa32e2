"""A ClickHouse as a source, as users define it, and exports of it."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports.local import postgres_server as postgres
from batch_exports.local.clickhouse.server import Server
from batch_exports.lookup import find_export
from batch_exports.probe import Result
from batch_exports.trial import try_source
from batch_exports_tests.components.postgres_warehouse import CONNECTION
from batch_exports_tests.deployment import errors_of, load
from batch_exports_tests.sources.clickhouse.conftest import (  # noqa: F401, fixtures
    clickhouse_server,
    sample,
    sample_lake,
)

SOURCE = """\
type: batch_exports.ClickHouseConnection
attributes: {name: cluster, user: exporter, password: {env: TEST_CLICKHOUSE_PASSWORD},
  host: 127.0.0.1, port: "{{ env.TEST_CLICKHOUSE_PORT | int }}", database: posthog, local: true}
---
type: batch_exports.ClickHouseSource
attributes:
  name: posthog
  connection: cluster
  team_id: 1
---
"""
MODEL = """\
type: batch_exports.CustomModel
attributes:
  name: buyers
  source: posthog
  query: |
    SELECT distinct_id, count() AS bought, max(timestamp) AS latest, map('a', 1) AS other
    FROM events
    WHERE event = 'purchase' AND timestamp >= {data_interval_start}
      AND timestamp < {data_interval_end}
    GROUP BY distinct_id
  columns:
    - {name: distinct_id, type: text, nullable: false}
    - {name: bought, type: bigint}
    - {name: latest, type: timestamp, nullable: false}
  key: [distinct_id]
  membership: latest
---
"""
EXPORTS = "---\n".join(
    f"""\
type: batch_exports.PostgresBatchExport
attributes: {{name: {model}_copy, source: posthog, model: {model}, start: "2026-11-01",
  end: "2026-11-04", interval: day, connection: warehouse, schema: "{{{{ env.TEST_PG_SCHEMA }}}}",
  table: {model}}}
"""
    for model in ("events", "persons", "sessions", "buyers")
)
Define = Callable[..., dg.Definitions]


@pytest.fixture
def define(
    tmp_path: Path,
    sample: Server,  # noqa: F811
    postgres_server: postgres.Server,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Define:
    variables = {
        "TEST_CLICKHOUSE_PORT": str(sample.port),
        "TEST_CLICKHOUSE_PASSWORD": sample.password,
        "TEST_PG_HOST": postgres_server.host,
        "TEST_PG_PORT": str(postgres_server.port),
        "TEST_PG_USER": postgres_server.exporter.user,
        "TEST_PG_PASSWORD": postgres_server.exporter.password,
        "TEST_PG_ROOT": str(postgres_server.root_certificate),
        "TEST_PG_SCHEMA": postgres_schema,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def define(*documents: str) -> dg.Definitions:
        text = "".join((CONNECTION, *documents)).rstrip("-\n") + "\n"
        return load(tmp_path / "defs", {"a/defs.yaml": text}, monkeypatch)

    return define


def test_assets(define: Define) -> None:
    specs = {s.key.to_user_string(): s for s in define(SOURCE, MODEL).resolve_all_asset_specs()}
    assert specs["posthog/events"].metadata["dagster/uri"] == "clickhouse://cluster/events"
    assert specs["posthog/buyers"].metadata["dagster/uri"] == "clickhouse://cluster"
    assert {"posthog/persons", "posthog/sessions"} <= specs.keys()
    assert specs["posthog/events"].kinds == {"clickhouse"}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (("connection: cluster", "connection: other"), "connection", "There is: cluster"),
        (("team_id: 1", "team_id: 0"), "team_id", "0 is too small"),
        (("  team_id: 1\n", ""), "team_id", "it is missing"),
        (("team_id: 1", "team_id: 1\n  settings: {final: 1}"), "settings", "final is set by"),
    ],
)
def test_errors(define: Define, change: tuple[str, str], field: str, words: str) -> None:
    with pytest.raises(InvalidComponent) as refused:
        define(SOURCE.replace(*change))
    assert f"{field}: " in str(refused.value)
    assert words in str(refused.value)


def test_models_are_exported(
    define: Define,
    sample: Server,  # noqa: F811
    postgres_server: postgres.Server,
    postgres_schema: str,
) -> None:
    """Two days each, by runs whose checks count both ends; a run's queries say so."""
    definitions = define(SOURCE, MODEL, EXPORTS)
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("events", "persons", "sessions", "buyers"):
            job = definitions.resolve_job_def(f"{name}_copy_job")
            result = job.execute_in_process(
                partition_key="2026-11-02", instance=instance, raise_on_error=False
            )
            assert result.success, errors_of(result)
            checks = result.get_asset_check_evaluations()
            failed = [check for check in checks if not check.passed]
            assert {check.severity for check in failed} <= {dg.AssetCheckSeverity.WARN}, failed
            comments = [entry.log_comment for entry in sample.query_log()]
            own = [comment for comment in comments if result.run_id in comment]
            assert own
            assert all(f'"export": "{name}_copy"' in comment for comment in own)
    with postgres_server.connect(postgres_server.exporter) as connection:
        landed = {
            name: connection.execute(f"SELECT count(*) FROM {postgres_schema}.{name}").fetchone()
            for name in ("events", "persons", "sessions", "buyers")
        }
    assert all(rows and rows[0] > 500 for rows in landed.values()), landed


def steps(name: str) -> list[Result]:
    return list(try_source(find_export(name)))


def test_an_export_is_tried(define: Define) -> None:
    define(SOURCE, MODEL, EXPORTS)
    for name in ("events_copy", "sessions_copy"):
        assert [step.finding.verdict for step in steps(name)] == ["passed"] * 3
    assert [step.finding.verdict for step in steps("buyers_copy")] == [
        "passed",
        "skipped",
        "passed",
    ]
    assert "ClickHouse 2" in steps("events_copy")[0].finding.text


def test_what_a_trial_finds(define: Define, monkeypatch: pytest.MonkeyPatch) -> None:
    define(SOURCE.replace("team_id: 1", "team_id: 77"), MODEL, EXPORTS)
    project = steps("persons_copy")[1]
    assert project.finding.verdict == "warning"
    assert "77" in project.finding.text
    monkeypatch.setenv("TEST_CLICKHOUSE_PASSWORD", "wr0ng")
    refused = steps("persons_copy")
    assert [step.finding.verdict for step in refused] == ["failed", "skipped", "skipped"]
    assert "wr0ng" not in str(refused)
