"""Intervals that come to Redshift in shards."""

import pytest

from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.sharded import ShardedSuite


class TestSharded(ShardedSuite):
    @pytest.fixture
    def adapter(self, by_copy: RedshiftAdapter) -> RedshiftAdapter:
        return by_copy
