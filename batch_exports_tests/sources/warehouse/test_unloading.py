"""Rows by way of files that UNLOAD writes to S3."""

import json
from typing import Any

import pytest

from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.errors import Terminal
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.sources.warehouse.places import Place, rows_of
from batch_exports_tests.sources.warehouse.test_values import BOTH, REDSHIFT, loaded


def sorted_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: json.dumps(row["record_id"]))


def test_unloaded_rows_are_those_of_a_cursor(cluster: Place, stage: StageArea) -> None:
    loaded(cluster, [*BOTH, *REDSHIFT])
    cluster.run("INSERT INTO persons (id, user_id) SELECT id + 1, 'it''s' FROM persons")
    with cluster.source() as source:
        expected = rows_of(source, 0)
    with cluster.source(stage=stage) as source:
        assert sorted_rows(rows_of(source, 0)) == sorted_rows(expected)
        # Without rows there is no UNLOAD: it would write no file.
        assert rows_of(source, 1) == []
    assert len(expected) == 2


def test_the_stage_is_empty_after_a_failure(
    cluster: Place, stage: StageArea, redshift: Emulator
) -> None:
    cluster.make("id INTEGER, email VARCHAR(20)", "1, 'a@x.org'", "2, 'b@x.org'")
    left = "unload/crm/20261101T000000Z-20261101T010000Z/killed/0000.parquet"
    stage.client.put_object(Bucket=stage.bucket, Key=left, Body=b"of a run that was killed")
    with cluster.source(stage=stage) as source:
        redshift.inject("UNLOAD", Refusal("XX000", "S3ServiceException:Access Denied,Status 403"))
        with pytest.raises(Terminal, match="Access Denied") as raised:
            rows_of(source, 0)
        assert "s3:PutObject" in raised.value.remedy
        assert len(rows_of(source, 0)) == 2


def test_rows_that_were_not_unloaded_are_missed(cluster: Place, stage: StageArea) -> None:
    cluster.make("id INTEGER, email VARCHAR(20)", "1, 'a@x.org'", "2, 'b@x.org'")
    with cluster.source(stage=stage) as source:
        rows_of(source, 0)
        ((generation,),) = cluster.kept("SELECT generation FROM state.batch_exports_crm_syncs")
        cluster.run(f"DELETE FROM {source.synced.state.delta(generation)} WHERE id = 1")
        with pytest.raises(Terminal, match=r"UNLOAD wrote 1 rows to .*, and 2 were"):
            rows_of(source, 0)
