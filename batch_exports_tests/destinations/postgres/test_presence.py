"""An interval's rows are told from its rejected ones, of which the source has the keys as well."""

from contextlib import AbstractContextManager, nullcontext

import pyarrow as pa
import pytest

from batch_exports.models import PERSONS, Projection
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.rows import HOUR, NEXT_HOUR, stream

NAMES = ("team_id", "distinct_id", "properties", "person_distinct_id_version", "person_version")
PROJECTION = Projection(PERSONS, PERSONS.select(NAMES, "postgres"), "inserted_at")
NOT_JSON = '{"cut": "of'


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ([("ann", "{}", 1), ("bob", NOT_JSON, 1)], (1, 1)),
        ([("ann", "{}", 1), ("ann", NOT_JSON, 1), ("ann", NOT_JSON, 1)], (1, 2)),
        ([("ann", "{}", 1), ("ann", NOT_JSON, 2)], (1, 1)),
        ([("ann", "{}", 1), ("bob\0", NOT_JSON, 1)], (1, 1)),
        ([("ann", "{}", 1), ("bob", NOT_JSON, 2**31)], (1, 1)),
    ],
    ids=["another", "the same thrice", "newer", "a key that was replaced", "twice bad"],
)
def test_rejected_rows_are_not_looked_for(
    rows: list[tuple[str, str, int]], counts: tuple[int, int], postgres: PostgresAdapter
) -> None:
    destination = postgres.destination(PROJECTION, write_mode="merge")
    known = persons([("bob", "{}", 1), ("bob\ufffd", "{}", 1)])
    destination.write(stream(known), NEXT_HOUR, "run-1")
    delivery = destination.write(stream(persons(rows)), HOUR, "run-2")
    assert (delivery.rows, delivery.rejected) == counts

    def source_keys() -> AbstractContextManager[pa.RecordBatchReader]:
        return nullcontext(stream(persons(rows).select(list(PROJECTION.identity))))

    landed = destination.inspect(HOUR, source_keys=source_keys)
    assert (landed.rows, landed.problems) == (delivery.rows, ())
    assert destination.keys(HOUR, source_keys).rows == 1
    versions = destination.versions(HOUR, source_keys)
    assert (versions.rows, versions.stale) == (1, 0)


def persons(rows: list[tuple[str, str, int]]) -> pa.Table:
    names, properties, versions = map(list, zip(*rows, strict=True))
    return pa.Table.from_arrays(
        [
            pa.array([1] * len(rows), pa.int64()),
            pa.array(names),
            pa.ExtensionArray.from_storage(pa.json_(), pa.array(properties)),
            pa.array([1] * len(rows), pa.int64()),
            pa.array(versions, pa.int64()),
        ],
        schema=PROJECTION.schema,
    )
