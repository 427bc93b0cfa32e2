"""Deliveries to Redshift: the suite of all destinations, by COPY and by INSERT."""

import json

import pyarrow as pa
import pytest

from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, as_rows, make_rows, stream
from batch_exports_tests.destinations.suite import Suite, assert_sound


class TestCopy(Suite):
    @pytest.fixture
    def adapter(self, by_copy: RedshiftAdapter) -> RedshiftAdapter:
        return by_copy

    def test_another_column_is_found(
        self, adapter: RedshiftAdapter, destination: RedshiftDestination
    ) -> None:
        """It is the user's own, and left alone."""
        rows = make_rows(range(40))
        destination.write(stream(rows), HOUR, "run-1")
        adapter.tamper(destination, HOUR, rows.append_column("surprise", pa.array(["!"] * 40)))
        assert destination.columns(HOUR, PROJECTION.schema).problems == ()
        destination.write(stream(rows), HOUR, "run-2")
        assert_sound(destination, HOUR, 40)

    def test_one_huge_row(self, adapter: RedshiftAdapter, destination: RedshiftDestination) -> None:
        """Documents of 16 MB are the most that SUPER takes: larger ones are kept aside in parts."""
        huge = json.dumps(["é\n" * 10_000] * 700)  # 21 MB
        rows = make_rows(range(3), columns={"properties": ["{}", huge, "{}"]})
        delivery = destination.write(stream(rows), HOUR, "run-1")
        assert (delivery.rows, delivery.rejected) == (2, 1)
        assert adapter.read(destination, HOUR) == as_rows(rows.take([0, 2]))
        (kept,) = adapter.originals(destination, HOUR)
        assert kept["properties"] == huge.encode()
        assert_sound(destination, HOUR, 2)

    def test_large_documents(
        self, adapter: RedshiftAdapter, destination: RedshiftDestination
    ) -> None:
        """Larger than any one string may be, in SUPER, VARCHAR or a literal."""
        large = [json.dumps(["\\'\"é\n" * size] * 200) for size in (10, 1_000, 2_000)]
        rows = make_rows(range(3), columns={"properties": large})
        assert destination.write(stream(rows), HOUR, "run-1").rejected == 0
        assert adapter.read(destination, HOUR) == as_rows(rows)


class TestInsert(TestCopy):
    @pytest.fixture
    def adapter(self, by_insert: RedshiftAdapter) -> RedshiftAdapter:
        return by_insert

    def test_one_huge_row(self, adapter: RedshiftAdapter, destination: RedshiftDestination) -> None:
        """Half of a statement is the most that is sent: each byte of it may have to be escaped."""
        huge, large = json.dumps(["x" * 60_000] * 140), json.dumps(["x" * 60_000] * 120)
        rows = make_rows(range(3), columns={"properties": ["{}", huge, large]})
        delivery = destination.write(stream(rows), HOUR, "run-1")
        assert (delivery.rows, delivery.rejected) == (2, 1)
        assert adapter.read(destination, HOUR) == as_rows(rows.take([0, 2]))
        (kept,) = adapter.originals(destination, HOUR)
        assert kept["properties"] == huge.encode()
