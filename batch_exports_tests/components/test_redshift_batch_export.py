"""Exports to Redshift as users define and run them."""

import re

import dagster as dg
import pytest

from batch_exports.checks import CHECKS
from batch_exports.components.errors import InvalidComponent
from batch_exports.destinations.redshift.authorization import Role
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.person_schema import PERSONS
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports_tests.components.postgres_warehouse import event, person
from batch_exports_tests.components.redshift_warehouse import CONNECTIONS, Warehouse
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import errors_of

ASSET = dg.AssetKey(["redshift", "events_table"])
ROLE = "arn:aws:iam::123456789012:role/copy"
STAGE = "stage: {connection: archive, bucket_name: stage}"
CHAIN = "stage: {connection: chain, bucket_name: stage}"


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


@pytest.mark.parametrize("way", ["role", "keys", "INSERT"])
def test_a_partition_lands_and_its_checks_read_the_table(cluster: Warehouse, way: str) -> None:
    cluster.put("events", EVENTS, event("one", properties='{"a": 1}'), event("two"),
                  event("late", hour=1.5))  # fmt: skip
    lines = {
        "role": [cluster.stage, f"authorization: {{role_arn: {ROLE_ARN}}}"],
        "keys": [cluster.stage],
        "INSERT": ["mode: INSERT"],
    }
    result = cluster.run(cluster.define(*lines[way]))
    assert result.success
    assert verdicts(result) == dict.fromkeys(CHECKS, True)
    rows = cluster.rows("SELECT uuid, JSON_SERIALIZE(properties) FROM events ORDER BY uuid")
    assert [(uuid, text.replace(" ", "")) for uuid, text in rows] == [
        ("one", '{"a":1}'),
        ("two", "{}"),
    ]
    copies = [text for text in cluster.emulator.statements if text.startswith("COPY")]
    assert bool(copies) == (way != "INSERT")
    assert all(("ACCESS_KEY_ID" in text) == (way == "keys") for text in copies)
    left = cluster.s3.client().list_objects_v2(Bucket=cluster.bucket)
    assert left["KeyCount"] == 0
    secrets = (cluster.s3.admin.secret_access_key, cluster.emulator.exporter.password)
    [materialization] = result.asset_materializations_for_node("redshift__events_table")
    assert not any(secret in str(materialization) for secret in secrets)


def test_a_role_that_the_cluster_may_not_assume(cluster: Warehouse) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html"""
    cluster.put("events", EVENTS, event("one"))
    result = cluster.run(cluster.define(cluster.stage, f"authorization: {{role_arn: {ROLE}}}"))
    assert not result.success
    [error] = errors_of(result)
    assert f"Associate {ROLE} with the cluster" in error
    assert cluster.s3.admin.secret_access_key not in error


def test_persons_are_merged(cluster: Warehouse) -> None:
    cluster.put("persons", PERSONS, person("x", (0, 1)), person("x", (0, 3)), person("y", (0, 0)))
    definitions = cluster.define("model: persons", "mode: INSERT")
    for _ in range(2):
        result = cluster.run(definitions)
        assert result.success
        assert all(verdicts(result).values())
    rows = cluster.rows("SELECT distinct_id, person_version FROM persons ORDER BY 1")
    assert rows == [("x", 3), ("y", 0)]


@pytest.mark.parametrize(
    ("lines", "field", "problem"),
    [
        ([], "stage", "it is missing: COPY loads files from S3. Give stage"),
        (["mode: INSERT", STAGE], "stage", "of no use with mode: INSERT"),
        (["mode: INSERT", "shards: 2"], "shards", "seen by its own session alone; COPY can"),
        (
            ["mode: INSERT", "authorization: {role_arn: default}"],
            "authorization",
            "of no use with mode: INSERT",
        ),
        (["mode: copy", STAGE], "mode", "'COPY' or 'INSERT'"),
        (["stage: stage"], "stage", "it is no mapping"),
        (["stage: {connection: archive}"], "stage", "'bucket_name' is missing"),
        (['stage: {connection: archive, bucket_name: ""}'], "stage.bucket_name", "is empty"),
        (["stage: {connection: nope, bucket_name: b}"], "stage.connection", "named 'nope'"),
        (
            ["stage: {connection: archive, bucket_name: b, files: 0}"],
            "stage.files",
            "0 is out of range. Give 1 to",
        ),
        (
            ["stage: {connection: archive, bucket_name: b, key_prefix: /a/}"],
            "stage.key_prefix",
            "'/a/' is not a folder",
        ),
        (
            ["stage: {connection: archive, bucket_name: b, key_prefix: a/../b}"],
            "stage.key_prefix",
            "'a/../b' is not a folder",
        ),
        (
            ['stage: {connection: archive, bucket_name: b, key_prefix: "{table}/"}'],
            "stage.key_prefix",
            "a stage has no variables",
        ),
        ([STAGE, "authorization: {}"], "authorization", "one role or one connection"),
        (
            [STAGE, f"authorization: {{role_arn: {ROLE}, connection: archive}}"],
            "authorization",
            "one role or one connection",
        ),
        ([STAGE, "authorization: default"], "authorization", "it is no mapping"),
        ([STAGE, "authorization: {role_arn: copy}"], "authorization.role_arn", "not the ARN"),
        (
            [STAGE, "authorization: {connection: nope}"],
            "authorization.connection",
            "no S3Connection named 'nope'",
        ),
        (
            [STAGE, "authorization: {aws_secret_access_key: planted}"],
            "authorization",
            "'aws_secret_access_key' is not a field",
        ),
        ([CHAIN], "authorization", "the connection chain has no keys of its own"),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
        ([STAGE, "table: Events"], "table", "is 'events' to Redshift"),
        ([STAGE, "schema: Exports"], "schema", "Write exports."),
        ([STAGE, f"table: {'t' * 120}"], "table", "has 120 bytes"),
        ([STAGE, f"schema: {'s' * 128}"], "schema", "has 128 bytes"),
        ([STAGE, "table: ''"], "table", "'' is not a name"),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
        ([STAGE, "table: '#events'"], "table", "makes a temporary table"),
        ([STAGE, "dist_key: nope"], "dist_key", "'nope' is not a column of the export"),
        ([STAGE, "sort_key: [timestamp, nope]"], "sort_key", "'nope' is not a column"),
        ([STAGE, "sort_key: [timestamp, timestamp]"], "sort_key", "names a column twice"),
        # https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
        ([STAGE, "dist_key: properties"], "dist_key", "'properties' is a SUPER column"),
        ([STAGE, "sort_key: [set]"], "sort_key", "'set' is a SUPER column"),
        ([STAGE, "semi_structured_type: JSONB"], "semi_structured_type", "'VARCHAR(65535)'"),
        ([STAGE, "write_mode: merge"], "write_mode", "have no versions to merge by"),
        ([STAGE, "write_mode: upsert"], "write_mode", "'upsert'"),
        ([STAGE, "connection: archive"], "connection", "no RedshiftConnection named 'archive'"),
    ],
)
def test_what_cannot_work_is_told_when_it_is_loaded(
    cluster: Warehouse, lines: list[str], field: str, problem: str
) -> None:
    with pytest.raises(InvalidComponent) as caught:
        cluster.define(*lines)
    message = str(caught.value)
    assert re.search(rf"defs\.yaml:\d+ - attributes\.{re.escape(field)}\n", message)
    assert problem in message
    assert "planted" not in message


def test_a_stage_in_another_region(cluster: Warehouse) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html"""
    there = CONNECTIONS.replace(
        '"{{ env.TEST_RS_HOST }}"', "c.abc.us-east-1.redshift.amazonaws.com"
    )
    lines = (CHAIN, "authorization: {role_arn: default}")
    with pytest.raises(InvalidComponent) as caught:
        cluster.define(*lines, connections=there)
    assert "chain is in eu-west-1, the cluster in us-east-1" in str(caught.value)
    assert "Stage in a bucket in us-east-1." in str(caught.value)
    assert cluster.define(STAGE, connections=there).resources


def test_what_is_written_is_what_a_run_gets(cluster: Warehouse) -> None:
    lines = [
        "stage: {connection: archive, bucket_name: b, key_prefix: a/b, files: 8}",
        f"authorization: {{role_arn: '{ROLE},{ROLE}2'}}",
        "dist_key: distinct_id",
        "sort_key: [timestamp, uuid]",
        "table: t",
        "semi_structured_type: VARCHAR(65535)",
        "write_mode: append",
        "on_missing_column: fail",
        "on_unrepresentable: reject",
    ]
    with cluster.destination(*lines) as made:
        stage = made.copy_from
        assert stage
        assert (stage.bucket, stage.key_prefix, stage.files) == ("b", "a/b/", 8)
        assert stage.authorization == Role(f"{ROLE},{ROLE}2")
        assert (made.name.schema, made.name.name) == (cluster.schema, "t")
        assert (made.dist_key, made.sort_key) == ("distinct_id", ("timestamp", "uuid"))
        assert made.semi_structured_type == "VARCHAR(65535)"
        assert (made.write_mode, made.on_missing_column) == ("append", "fail")
        assert made.on_unrepresentable == OnUnrepresentable.REJECT
    with cluster.destination("mode: INSERT") as made:
        assert made.copy_from is None
        assert (made.dist_key, made.sort_key, made.write_mode) == (None, (), "replace")


@pytest.mark.parametrize(
    ("lines", "clause"),
    [
        ([STAGE, "authorization: {role_arn: default}"], "IAM_ROLE default"),
        ([STAGE], "ACCESS_KEY_ID 'KEY' SECRET_ACCESS_KEY 'SECRET'"),
        (
            [STAGE, "authorization: {connection: temporary}"],
            "ACCESS_KEY_ID 'KEY' SECRET_ACCESS_KEY 'SECRET' SESSION_TOKEN 'planted-token'",
        ),
    ],
)
def test_what_copy_is_told(cluster: Warehouse, lines: list[str], clause: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-authorization.html"""
    admin = cluster.s3.admin
    with cluster.destination(*lines) as made:
        assert made.copy_from
        told = made.copy_from.authorization.clause().as_string()
        assert told == clause.replace("KEY'", f"{admin.access_key_id}'", 1).replace(
            "'SECRET'", f"'{admin.secret_access_key}'"
        )
        assert admin.secret_access_key not in repr(made)
        assert "planted-token" not in repr(made)


def test_the_ui_shows_the_types_that_a_table_is_made_with(cluster: Warehouse) -> None:
    for lines, type_ in ([], "SUPER"), (["semi_structured_type: VARCHAR(65535)"], "VARCHAR(65535)"):
        asset = cluster.define("mode: INSERT", *lines).resolve_asset_graph().get(ASSET)
        assert asset.metadata["load_mode"] == "INSERT"
        assert asset.metadata["dagster/table_name"] == f"{cluster.schema}.events"
        types = {c.name: c.type for c in asset.metadata["dagster/column_schema"].columns}
        assert types["properties"] == type_
        assert types["uuid"] == "VARCHAR(200)"


def test_persons_merge_and_events_replace_unless_told(cluster: Warehouse) -> None:
    for lines, mode in [
        ([], "replace"),
        (["model: persons"], "merge"),
        (["model: sessions"], "merge"),
        (["model: persons", "write_mode: replace"], "replace"),
        (["write_mode: append"], "append"),
    ]:
        graph = cluster.define("mode: INSERT", *lines).resolve_asset_graph()
        assert graph.get(ASSET).metadata["write_mode"] == mode
        checks = {key.name for key in graph.asset_check_keys}
        assert ("versions" in checks) == (mode == "merge")
