"""What another export delivered has the columns that its manifest tells."""

import pytest

from batch_exports.drift.source_columns import source_columns
from batch_exports.errors import Transient
from batch_exports_tests.destinations.rows import HOUR, PROJECTION
from batch_exports_tests.destinations.s3.adapter import S3Adapter
from batch_exports_tests.sources.delivered.deliveries import SELECTION, Deliveries


def test_columns_of_the_manifest(s3: S3Adapter) -> None:
    deliveries = Deliveries.to(s3)
    deliveries.deliver(0)
    with pytest.raises(Transient, match="has not delivered"):
        source_columns(deliveries.source, SELECTION, HOUR)
    deliveries.deliver(1, 0)
    found = source_columns(deliveries.source, SELECTION, HOUR)
    assert found
    assert [one.name for one in found.columns] == [column.name for column in PROJECTION.columns]
