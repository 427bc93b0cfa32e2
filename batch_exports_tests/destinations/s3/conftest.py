"""A place on the real S3 server for each test."""

import uuid

import pytest

from batch_exports.local.seaweedfs import Keys, Server
from batch_exports_tests.destinations.s3.adapter import S3Adapter


@pytest.fixture(scope="session")
def exports_bucket(s3_server: Server) -> str:
    """One bucket for all tests, since making one is slow; each has a prefix of its own."""
    name = f"exports-{uuid.uuid4().hex[:12]}"
    s3_server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3(s3_server: Server, exports_bucket: str) -> S3Adapter:
    """Deliveries to an empty prefix, as Parquet with zstd unless the test says otherwise."""
    connection = connect(s3_server.endpoint, s3_server.admin)
    return S3Adapter(connection, exports_bucket, f"{uuid.uuid4().hex[:12]}/")


def connect(endpoint: str, keys: Keys) -> dict[str, str]:
    """The settings of a connection."""
    return {
        "region_name": "us-east-1",
        "endpoint_url": endpoint,
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key,
        "addressing_style": "path",
    }
