"""What is put aside in parts."""

from batch_exports.models import EVENTS, Projection
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.rows import HOUR, make_rows, stream


def test_a_finding_in_parts_that_has_no_value(by_insert: RedshiftAdapter) -> None:
    by_insert.execute(
        "CREATE TABLE {table} (uuid VARCHAR, person_id VARCHAR NOT NULL, event VARCHAR(65535))"
    )
    projection = Projection(
        EVENTS, EVENTS.select(("uuid", "person_id", "event"), "redshift"), "inserted_at"
    )
    rows = make_rows([1], columns={"person_id": [None], "event": ["x" * 50_000]})
    destination = by_insert.destination(projection)
    destination.write(stream(rows.select(projection.schema.names)), HOUR, "a run")
    found = by_insert.execute("SELECT original, reason FROM {schema}.events_rejects")
    assert len(found) == 2
    assert [row["original"] for row in found] == [None, None]
