"""The exports of the demo as assets: what an engineer sees of them before the first run."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from batch_exports.checks import CHECKS, CHECKS_OF_MERGES, ON_DEMAND
from batch_exports.definitions import load_definitions
from batch_exports.local.postgres_server import Server
from batch_exports.models import EVENTS
from batch_exports_tests.conftest import ROLE_ARN

ARCHIVE = dg.AssetKey(["s3", "events_archive"])
DAILY = dg.AssetKey(["s3", "purchases_daily"])
PERSONS = dg.AssetKey(["postgres", "persons_table"])
TABLES = [dg.AssetKey(["postgres", f"{name}_table"]) for name in ("events", "sessions")]
AMPLITUDE = dg.AssetKey(["s3", "amplitude_files"])
LOADS = dg.AssetKey(["redshift", "amplitude_loads"])
MERGED_IDS = dg.AssetKey(["redshift", "merged_ids"])
IDENTIFIES_BACK = dg.AssetKey(["s3", "identifies_archive"])
CLUSTER = [
    dg.AssetKey(["redshift", f"{name}_redshift"]) for name in ("events", "persons", "sessions")
]
LAKE = dg.AssetKey(["lake", "events"])


@pytest.fixture(scope="module")
def demo(postgres_server: Server) -> dg.Definitions:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("BATCH_EXPORTS_DEFS", raising=False)
        for name, value in {
            "S3_ENDPOINT": "http://127.0.0.1:9000",
            "S3_ACCESS_KEY_ID": "id",
            "S3_SECRET_ACCESS_KEY": "secret",
            "S3_BUCKET": "exports",
            "LAKE": "/lake",
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": "5432",
            "POSTGRES_DATABASE": "analytics",
            "POSTGRES_USER": "exporter",
            "POSTGRES_PASSWORD": "secret",
            "POSTGRES_ROOT_CERT": str(postgres_server.root_certificate),
            "POSTGRES_SCHEMA": "exports",
            "REDSHIFT_HOST": "127.0.0.1",
            "REDSHIFT_PORT": "5439",
            "REDSHIFT_DATABASE": "dev",
            "REDSHIFT_USER": "exporter",
            "REDSHIFT_PASSWORD": "secret",
            "REDSHIFT_ROOT_CERT": str(postgres_server.root_certificate),
            "REDSHIFT_SCHEMA": "exports",
            "REDSHIFT_ROLE_ARN": ROLE_ARN,
            "AMPLITUDE": "/amplitude",
        }.items():
            environment.setenv(f"BATCH_EXPORTS_LOCAL_{name}", value)
        return load_definitions()


def spec_of(demo: dg.Definitions, key: dg.AssetKey) -> dg.AssetSpec:
    return next(spec for spec in demo.resolve_all_asset_specs() if spec.key == key)


def told(spec: dg.AssetSpec) -> dict[str, Any]:
    """A spec as plain data, without its columns."""
    partitions = spec.partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    return {
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "tags": {k: v for k, v in spec.tags.items() if not k.startswith("dagster/")},
        "deps": [dep.asset_key.to_user_string() for dep in spec.deps],
        "uri": spec.metadata["dagster/uri"],
        "partitions": len(partitions.get_partition_keys()),
        "first": partitions.get_partition_keys()[0],
        "last": partitions.get_partition_keys()[-1],
    }


def test_the_exports_of_the_demo(demo: dg.Definitions) -> None:
    assert told(spec_of(demo, ARCHIVE)) == {
        "group": "exports",
        "kinds": ["parquet", "s3"],
        "owners": ["team:data"],
        "tags": {"model": "events", "destination": "s3"},
        "deps": ["lake/events"],
        "uri": "s3://exports/{table}/{year}/{month}/{day}/",
        "partitions": 72,
        "first": "2026-11-01-00:00",
        "last": "2026-11-03-23:00",
    }
    assert told(spec_of(demo, DAILY)) == {
        "group": "exports",
        "kinds": ["json", "s3"],
        "owners": ["team:growth"],
        "tags": {"model": "events", "destination": "s3"},
        "deps": ["lake/events"],
        "uri": "s3://exports/{year}-{month}-{day}_{table}/",
        "partitions": 3,
        "first": "2026-11-01",
        "last": "2026-11-03",
    }
    assert told(spec_of(demo, PERSONS)) == {
        "group": "exports",
        "kinds": ["postgres"],
        "owners": ["team:growth"],
        "tags": {"model": "persons", "destination": "postgres"},
        "deps": ["lake/persons"],
        "uri": "postgresql://warehouse/exports/persons",
        "partitions": 12,
        "first": "2026-11-01-00:00",
        "last": "2026-11-03-18:00",
    }
    assert told(spec_of(demo, LOADS)) == {
        "group": "exports",
        "kinds": ["redshift"],
        "owners": ["team:data"],
        "tags": {"model": "amplitude_events", "destination": "redshift"},
        "deps": ["s3/amplitude_files"],
        "uri": "redshift://cluster/exports/amplitude_events",
        "partitions": 3,
        "first": "2026-11-01-10:00",
        "last": "2026-11-01-10:20",
    }


def test_columns_of_a_table_have_its_types(demo: dg.Definitions) -> None:
    schema = spec_of(demo, PERSONS).metadata["dagster/column_schema"]
    assert {c.name: c.type for c in schema.columns} == {
        "team_id": "INTEGER",
        "distinct_id": "TEXT",
        "person_id": "TEXT",
        "properties": "JSONB",
        "person_distinct_id_version": "INTEGER",
        "person_version": "INTEGER",
        "created_at": "TIMESTAMP WITH TIME ZONE",
    }


def test_columns_are_known_before_the_first_run(demo: dg.Definitions) -> None:
    schema = spec_of(demo, ARCHIVE).metadata["dagster/column_schema"]
    described = {column.name: column.description for column in EVENTS.columns}
    assert [c.name for c in schema.columns] == list(EVENTS.default_columns["s3"])
    assert all(c.description == described[c.name] for c in schema.columns)
    types = {c.name: c.type for c in schema.columns}
    assert types["properties"] == "json"
    assert types["timestamp"] == "timestamp[us, tz=UTC]"
    uuid = schema.columns[0]
    assert uuid.constraints.unique
    assert not uuid.constraints.nullable


def test_columns_come_from_those_of_the_source(demo: dg.Definitions) -> None:
    lineage = spec_of(demo, ARCHIVE).metadata["dagster/column_lineage"].deps_by_column
    (origin,) = lineage["_inserted_at"]
    assert (origin.asset_key, origin.column_name) == (LAKE, "inserted_at")
    known = {c.name for c in spec_of(demo, LAKE).metadata["dagster/column_schema"].columns}
    assert {dep.column_name for deps in lineage.values() for dep in deps} <= known


@pytest.mark.parametrize(("key", "name"), [(ARCHIVE, "events_archive"), (DAILY, "purchases_daily")])
def test_the_code_reference_is_the_place_in_yaml(
    key: dg.AssetKey, name: str, demo: dg.Definitions
) -> None:
    (reference,) = spec_of(demo, key).metadata["dagster/code_references"].code_references
    lines = Path(reference.file_path).read_text().splitlines()
    document = lines[reference.line_number - 1 :]
    assert document[0] == "type: batch_exports.S3BatchExport"
    assert document[2] == f"  name: {name}"


def test_each_has_its_checks_its_job_and_its_schedule(demo: dg.Definitions) -> None:
    keys = demo.resolve_asset_graph().asset_check_keys
    assets = [ARCHIVE, DAILY, PERSONS, *TABLES, *CLUSTER, AMPLITUDE, LOADS, MERGED_IDS]
    assets.append(IDENTIFIES_BACK)
    merges = (PERSONS, TABLES[1], *CLUSTER[1:])
    merged = {dg.AssetCheckKey(asset, name) for asset in merges for name in CHECKS_OF_MERGES}
    others = {
        dg.AssetCheckKey(AMPLITUDE, "event_time"),
        dg.AssetCheckKey(MERGED_IDS, "cycles"),
        dg.AssetCheckKey(IDENTIFIES_BACK, "source_rows"),
    }
    names = (*CHECKS, *ON_DEMAND)
    usual = {dg.AssetCheckKey(asset, name) for asset in assets for name in names}
    assert keys == usual | merged | others
    for name in (key.path[-1] for key in assets):
        schedule = demo.resolve_schedule_def(f"{name}_schedule")
        assert schedule.job_name == f"{name}_job"
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert demo.resolve_job_def(f"{name}_job").partitions_def


def test_what_an_export_delivers_is_what_a_table_as_a_source_reads(demo: dg.Definitions) -> None:
    graph = demo.resolve_asset_graph()
    upstream = graph.get_ancestor_asset_keys(IDENTIFIES_BACK, include_self=True)
    assert upstream == {
        dg.AssetKey(["lake", "persons"]),
        dg.AssetKey(["redshift", "persons_redshift"]),
        dg.AssetKey(["persons_of_cluster", "identifies"]),
        IDENTIFIES_BACK,
    }


def test_each_says_what_it_delivers(demo: dg.Definitions) -> None:
    assert spec_of(demo, DAILY).description == (
        f"{EVENTS.description}\n\n"
        "From `lake` to `s3://exports/{year}-{month}-{day}_{table}/`: a partition for each "
        "interval (day, UTC), with the rows whose `inserted_at` lies in it, delivered 60 s after "
        "its end.\n\n"
        "Only `purchase`, `$identify`."
    )
