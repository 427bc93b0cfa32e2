"""A place on the real S3 server for each test."""

import pytest

from batch_exports.local.seaweedfs import Server
from batch_exports_tests.destinations.s3.adapter import S3Adapter
from batch_exports_tests.destinations.s3.conftest import connect


@pytest.fixture
def s3(s3_server: Server, bucket: str) -> S3Adapter:
    return S3Adapter(connect(s3_server.endpoint, s3_server.admin), bucket, "")
