"""What a table of a warehouse offers is told without a sync."""

from batch_exports.drift.source_columns import needed_columns, source_columns
from batch_exports.sources.warehouse.mapping import EventMapping
from batch_exports_tests.sources.warehouse.places import ALL, BY_ID, Place, hour
from batch_exports_tests.sources.warehouse.test_description import _TABLES
from batch_exports_tests.sources.warehouse.test_sync import PERSONS


def test_columns_of_the_table(warehouse: Place) -> None:
    warehouse.make(PERSONS)
    with warehouse.source() as source:
        found = source_columns(source, ALL, hour(0))
        assert found
        assert [(column.name, column.type) for column in found.columns] == [
            ("id", "integer"),
            ("email", "character varying(100)"),
            ("plan", "character varying(20)"),
        ]
        assert needed_columns(source, ALL) is None, "each column becomes a trait"
    assert warehouse.kept(f"{_TABLES} = '{warehouse.state}'") == []


def test_what_a_mapping_names_is_needed(warehouse: Place) -> None:
    mapping = EventMapping(("id",), {"email": "mail"}, (("plan", ("plan",)),))
    with warehouse.source(mapping=mapping) as source:
        assert needed_columns(source, ALL) == {"id", "mail", "plan"}
    assert BY_ID.traits == ()
