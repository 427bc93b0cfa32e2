"""Shards are a partition of all rows, and the same one whatever form Arrow gives to the keys."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_exports.models import MODELS
from batch_exports.models.declared_types import VOCABULARY
from batch_exports.transform.shard import Shard, rows_of, shards

LONG = st.integers(1020, 1030).map(lambda length: "\0é" * (length // 2))
TEXTS = st.none() | st.text(max_size=40) | LONG
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)
MOMENT = datetime(2026, 11, 1, 10, 30, tzinfo=UTC)


def column(values: pa.Array) -> list[int]:
    """Hashes, as good as whole: no two of these tests' values share one."""
    batch = pa.record_batch({"key": values})
    return [int(found) for found in shards(batch, ["key"], 2**63)]


@settings(max_examples=40)
@given(st.lists(st.tuples(TEXTS, NUMBERS), max_size=60), st.integers(1, 9), st.integers(1, 20))
def test_every_row_is_in_one_shard_and_equal_keys_in_the_same(
    keys: list[tuple[str | None, int | None]], of: int, batch_rows: int
) -> None:
    rows = pa.table(
        {
            "text": pa.array([text for text, _ in keys], pa.string()),
            "number": pa.array([number for _, number in keys], pa.int64()),
            "row": range(len(keys)),
        }
    )
    reader = [
        rows_of(
            pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(batch_rows)),
            ["text", "number"],
            Shard(index, of),
        ).read_all()
        for index in range(of)
    ]
    found = [part["row"].to_pylist() for part in reader]
    assert sorted(row for part in found for row in part) == list(range(len(keys)))
    homes: dict[tuple[str | None, int | None], int] = {}
    for index, part in enumerate(found):
        assert part == sorted(part)
        assert all(homes.setdefault(keys[row], index) == index for row in part)


@settings(max_examples=40)
@given(st.lists(TEXTS, max_size=30))
def test_text_is_the_same_in_all_of_its_types(texts: list[str | None]) -> None:
    plain = pa.array(texts, pa.string())
    forms = [
        plain.cast(pa.large_string()),
        plain.cast(pa.string_view()),
        plain.cast(pa.binary()),
        plain.dictionary_encode(),
        pa.array(["x", *texts, "yz"], pa.string())[1:-1],
        pa.ExtensionArray.from_storage(pa.json_(), plain),
    ]
    assert all(column(form) == column(plain) for form in forms)


@pytest.mark.parametrize(
    "forms",
    [
        [pa.array([5, None, -1], type_) for type_ in (pa.int8(), pa.int32(), pa.int64())],
        [pa.array([5, None], type_) for type_ in (pa.uint8(), pa.uint64(), pa.int16())],
        [pa.array([True, None]), pa.array([1, None])],
        [pa.array([MOMENT], pa.timestamp(unit, "UTC")) for unit in ("s", "ms", "us", "ns")],
        [pa.array([MOMENT], pa.timestamp("us", "Asia/Tokyo")), pa.array([MOMENT])],
        [pa.array([date(2026, 11, 1)], type_) for type_ in (pa.date32(), pa.date64())],
        [pa.array([Decimal(text), None]) for text in ("1.5", "1.500")],
        [
            pa.array([Decimal(7)], pa.decimal128(38, 0)),
            pa.array([Decimal(7)], pa.decimal256(40, 2)),
        ],
        [pa.array([0.0, None, np.nan]), pa.array([-0.0, None, -np.nan], pa.float32())],
        [pa.array([b"abc"], pa.binary(3)), pa.array(["abc"])],
        [pa.nulls(2), pa.nulls(2, pa.string()), pa.nulls(2, pa.int64())],
    ],
    ids=lambda forms: str(forms[0].type),
)
def test_equal_values_of_other_types_are_the_same(forms: list[pa.Array]) -> None:
    assert len({str(column(form)) for form in forms}) == 1


@settings(max_examples=40)
@given(st.lists(st.tuples(TEXTS, NUMBERS), max_size=20))
def test_the_definition_by_hand(keys: list[tuple[str | None, int | None]]) -> None:
    """Steps of one run may be of different machines, and versions of what they run."""
    batch = pa.record_batch(
        {
            "text": pa.array([text for text, _ in keys], pa.string()),
            "number": pa.array([number for _, number in keys], pa.int64()),
        }
    )
    expected = [mixed(mixed(counted(text)) + counted(number)) % 2**32 for text, number in keys]
    assert shards(batch, ["text", "number"], 2**32).tolist() == expected


def counted(value: str | int | None) -> int:
    match value:
        case None:
            return 0x5BD1E9955BD1E995
        case int():
            return value % 2**64
    text = value.encode()
    return len(text) + sum(
        (byte + 1) * pow(0x100000001B3, place, 2**64)
        for place, byte in enumerate(text[:1024], start=1)
    )


def mixed(number: int) -> int:
    number = (number + 0x9E3779B97F4A7C15) % 2**64
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


def test_shards_are_of_about_one_size() -> None:
    keys = pa.record_batch({"key": [f"user-{number:08}" for number in range(20_000)]})
    sizes = np.bincount(shards(keys, ["key"], 8).astype(np.int64))
    assert sizes.min() > 2_300
    assert sizes.max() < 2_700


def test_all_keys_can_be_dealt_out() -> None:
    types = [declared.arrow for declared in VOCABULARY.values() if declared.in_keys]
    for model in MODELS.values():
        types += [column.type for column in model.columns if column.name in model.key]
    assert all(column(pa.nulls(1, type_)) == column(pa.nulls(1)) for type_ in types)
