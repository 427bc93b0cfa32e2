"""Warehouses of both kinds, and a place for what one of them unloads."""

from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config

from batch_exports.destinations.redshift.authorization import Role
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.local import seaweedfs
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.sources.warehouse.places import Place, place


@pytest.fixture(params=["postgres", "redshift"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Place]:
    """PostgreSQL, and the emulator of Redshift."""
    servers = {"postgres": "postgres_server", "redshift": "redshift_emulator"}
    with place(request.getfixturevalue(servers[request.param])) as found:
        yield found


@pytest.fixture
def cluster(redshift: Emulator) -> Iterator[Place]:
    with place(redshift) as found:
        yield found


@pytest.fixture
def stage(s3_server: seaweedfs.Server, bucket: str) -> Iterator[StageArea]:
    keys = s3_server.admin
    client = boto3.client(
        "s3",
        endpoint_url=s3_server.endpoint,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    yield StageArea(
        client=client, bucket=bucket, key_prefix="unload/", authorization=Role(ROLE_ARN)
    )
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
