"""Rows that no event can be made of: left out, kept with their reason, counted."""

from typing import Any

from batch_exports_tests.sources.warehouse.places import ALL, Place, hour, rows_of, told

COLUMNS = "id INTEGER, email VARCHAR(100), score DOUBLE PRECISION"


def rejected(warehouse: Place) -> list[tuple[Any, ...]]:
    ((generation,),) = warehouse.kept(
        "SELECT generation FROM state.batch_exports_crm_syncs LIMIT 1"
    )
    return warehouse.kept(
        "SELECT _batch_exports_sync, _batch_exports_reason, id, email "
        f"FROM state.batch_exports_crm_{generation}_rejects ORDER BY 1, 2, 3, 4"
    )


def test_invalid_rows_are_left_out_and_kept(warehouse: Place) -> None:
    warehouse.make(
        COLUMNS,
        "1, 'a@x.org', 1",
        "NULL, 'b@x.org', 1",
        "3, 'c@x.org', 1",
        "3, 'd@x.org', 1",
        "4, NULL, 1",
        "5, '  ', 1",
        "6, 'e@x.org', CAST('NaN' AS DOUBLE PRECISION)",
        "7, 'f@x.org', CAST('-Infinity' AS DOUBLE PRECISION)",
        "8, 'g@x.org', NULL",
    )
    with warehouse.source() as source:
        assert told(source, 0) == [("insert", "1"), ("insert", "8")]
        found = source.rejections(ALL, hour(0))
        assert source.rejections(ALL, hour(1)).rows == {}
    assert found.rows == {
        "other rows have the same primary key": 2,
        "nothing in it tells whom it is about": 2,
        "a number is NaN or infinite, which JSON has not": 2,
        "a column of the primary key is NULL": 1,
    }
    assert {"3", "4"} <= set(found.examples) <= {"NULL", "3", "4", "5", "6", "7"}
    assert found.where.endswith('_rejects"')
    assert rejected(warehouse) == [
        (1, "duplicate_key", 3, "c@x.org"),
        (1, "duplicate_key", 3, "d@x.org"),
        (1, "no_identifier", 4, None),
        (1, "no_identifier", 5, "  "),
        (1, "not_finite", 6, "e@x.org"),
        (1, "not_finite", 7, "f@x.org"),
        (1, "null_key", None, "b@x.org"),
    ]


def test_a_row_that_is_mended_is_told(warehouse: Place) -> None:
    warehouse.make(COLUMNS, "1, 'a@x.org', 1", "1, 'b@x.org', 2")
    with warehouse.source() as source:
        assert rows_of(source, 0) == []
        warehouse.run("DELETE FROM persons WHERE score = 2")
        assert told(source, 1) == [("insert", "1")]
        warehouse.run("INSERT INTO persons VALUES (1, 'c@x.org', 3)")
        assert rows_of(source, 2) == []
        warehouse.run("DELETE FROM persons WHERE score = 3")
        assert rows_of(source, 3) == []  # it is again what was delivered of it
