"""Deliveries to S3: the suite of all destinations, and what only S3 has."""

import pytest

from batch_exports_tests.destinations.s3.adapter import S3Adapter
from batch_exports_tests.destinations.suite import Suite


class TestParquet(Suite):
    @pytest.fixture
    def adapter(self, s3: S3Adapter) -> S3Adapter:
        return s3


class TestJsonLines(Suite):
    @pytest.fixture
    def adapter(self, s3: S3Adapter) -> S3Adapter:
        return s3.having(file_format="jsonlines", compression="gzip")
