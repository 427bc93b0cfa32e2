"""Message IDs are UUIDs that anybody can make from a row's key; their digest knows no order."""

import uuid
from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.models import TIMESTAMP
from batch_exports.transform.message_ids import NAMESPACE, digest, message_ids

START = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)
KEYS = st.lists(st.text(max_size=20))


def keyed(keys: list[str | None], start: datetime | None = START) -> pa.RecordBatch:
    starts = pa.array([start] * len(keys), TIMESTAMP)
    names = ["record_id", "data_interval_start"]
    return pa.RecordBatch.from_arrays([pa.array(keys, pa.string()), starts], names=names)


@given(KEYS)
def test_an_id_is_the_uuid_of_its_row(keys: list[str]) -> None:
    names = (f"users/2026-11-01T02:30:00.000000Z/{key}" for key in keys)
    expected = [str(uuid.uuid5(NAMESPACE, name)) for name in names]
    assert message_ids("users", keyed(list(keys))).to_pylist() == expected


def test_ids_differ_by_export_interval_and_record() -> None:
    later = START.replace(minute=31)
    ids = [
        *message_ids("users", keyed(["1", "2", None])).to_pylist(),
        *message_ids("users", keyed(["1"], later)).to_pylist(),
        *message_ids("users", keyed(["1"], None)).to_pylist(),
        *message_ids("others", keyed(["1"])).to_pylist(),
    ]
    assert len({*ids}) == 6
    assert {uuid.UUID(each).version for each in ids} == {5}


def test_bytes_that_are_no_text_have_an_id() -> None:
    raw = pa.array([b"\xff\x00", b"\xfe\x00"]).view(pa.string())
    batch = keyed(["", ""]).set_column(0, "record_id", raw)
    assert len({*message_ids("users", batch).to_pylist()}) == 2


@given(KEYS, st.data())
def test_a_digest_is_the_sum_of_its_parts(keys: list[str], data: st.DataObject) -> None:
    ids = message_ids("users", keyed(list(keys)))
    expected = sum(uuid.UUID(each).int >> 64 for each in ids.to_pylist()) % 2**64
    assert digest(ids) == expected
    cut = data.draw(st.integers(0, len(ids)))
    assert (digest(ids.slice(0, cut)) + digest(ids.slice(cut))) % 2**64 == expected
    assert digest(ids.take(pa.array(data.draw(st.permutations(range(len(ids)))), pa.int64()))) == (
        expected
    )
