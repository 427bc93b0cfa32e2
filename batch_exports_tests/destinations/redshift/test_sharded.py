"""Intervals that come to Redshift in shards."""

import pytest

from batch_exports.errors import BatchExportError
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.rows import HOUR, as_rows, make_rows
from batch_exports_tests.destinations.sharded import ShardedSuite, sharded, stage
from batch_exports_tests.destinations.suite import assert_sound

OVERLOADED = Refusal("XX000", "S3ServiceException:Please reduce your request rate.,Status 503")


class TestSharded(ShardedSuite):
    @pytest.fixture
    def adapter(self, by_copy: RedshiftAdapter) -> RedshiftAdapter:
        return by_copy


@pytest.mark.parametrize("statement", ["^COPY", "INSERT INTO .*_ledger"], ids=["load", "commit"])
def test_what_was_staged_stays_for_the_next_try_of_the_commit(
    by_copy_to_emulator: RedshiftAdapter, redshift: Emulator, statement: str
) -> None:
    """And with the first one that succeeds all shards' files go, which one manifest names."""
    adapter, rows = by_copy_to_emulator, make_rows(range(40))
    destination = sharded(adapter)
    receipts = stage(destination, rows, "run-1")
    files = {file["key"] for receipt in receipts for file in receipt["staged"]["files"]}
    redshift.inject(statement, OVERLOADED)
    with pytest.raises(BatchExportError, match="request rate"):
        destination.commit(receipts, HOUR, "run-1")
    assert {*adapter.leftovers()} == files
    assert adapter.read(destination, HOUR) == []
    destination.commit(receipts, HOUR, "run-1")
    assert adapter.read(destination, HOUR) == as_rows(rows)
    assert_sound(destination, HOUR, 40)
    assert adapter.leftovers() == []
