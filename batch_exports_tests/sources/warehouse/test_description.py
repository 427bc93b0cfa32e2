"""What a read of a table of a warehouse would take, told without a sync."""

from batch_exports_tests.sources.warehouse.places import ALL, Place, hour, rows_of
from batch_exports_tests.sources.warehouse.test_sync import PERSONS, THREE

_TABLES = "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname"


def test_an_interval_that_was_not_synced_stays_so(warehouse: Place) -> None:
    warehouse.make(PERSONS, *THREE)
    with warehouse.source() as source:
        told = source.describe(ALL, hour(0))
        assert "not synced yet" in told.note
        assert told.uncounted
        assert told.query is None
        assert warehouse.kept(f"{_TABLES} = '{warehouse.state}'") == []
        rows_of(source, 0)
        told = source.describe(ALL, hour(0))
    assert told.uncounted == "its sync found 3"
    assert told.query
    assert "_delta" in told.query
