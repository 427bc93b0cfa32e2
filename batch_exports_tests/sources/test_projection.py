"""Values of a source in the model's types: all of Arrow's that hold them, and no others."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.errors import Terminal
from batch_exports.models import JSON, TIMESTAMP
from batch_exports.sources.projection import conform

TEXTS = pa.list_(pa.string())
LISTS = st.lists(st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3), max_size=6)


@given(
    LISTS,
    st.sampled_from([pa.list_, pa.large_list, pa.list_view, pa.large_list_view]),
    st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]),
    st.integers(0, 2),
)
def test_lists_of_text(rows: list[Any], list_of: Any, text: pa.DataType, start: int) -> None:
    found = conform(pa.array(rows, list_of(text))[start:], TEXTS, "urls", "here")
    found.validate(full=True)
    assert found.type == TEXTS
    assert found.to_pylist() == rows[start:]


def test_lists_of_words_from_a_dictionary() -> None:
    words = pa.array(["a", "b", "a"]).dictionary_encode()
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 2, 3]), words)
    assert conform(lists, TEXTS, "urls", "here").to_pylist() == [["a", "b"], [], ["a"]]


@pytest.mark.parametrize("type_", [TEXTS, pa.bool_(), pa.float64(), pa.int64(), JSON, TIMESTAMP])
def test_columns_of_nothing_but_null(type_: pa.DataType) -> None:
    found = conform(pa.nulls(3), type_, "column", "here")
    assert found.type == type_
    assert found.null_count == 3


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (pa.array([1.5, None, 3], pa.float32()), pa.float64()),
        (pa.array([1.5, None, 3], pa.float16()), pa.float64()),
        (pa.array([2**53, None, -(2**53)], pa.int64()), pa.float64()),
        (pa.array([1, None], pa.uint8()), pa.int64()),
        (pa.array([True, None, False]), pa.bool_()),
        (pa.array([0.5, None, 1], pa.float16()), pa.float32()),
        (pa.array([Decimal("0.50"), None]), pa.decimal128(3, 1)),
        (pa.array([1, None]), pa.decimal128(38, 0)),
        (pa.array([0, None], pa.date64()), pa.date32()),
    ],
)
def test_numbers_and_booleans(values: pa.Array, type_: pa.DataType) -> None:
    found = conform(values, type_, "column", "here")
    assert found.type == type_
    assert found.to_pylist() == values.to_pylist()


@pytest.mark.parametrize(
    ("values", "type_", "problem"),
    [
        (pa.array(['["a"]']), TEXTS, "is string, and was expected as list<string>: not a list"),
        (pa.array([[1]]), TEXTS, "is list<item: int64>, and was expected as list<string>: not"),
        (pa.array([0, 1]), pa.bool_(), "is int64, and was expected as bool: not a boolean"),
        (pa.array(["true"]), pa.bool_(), "not a boolean"),
        (pa.array(["1.5"]), pa.float64(), "is string, and was expected as double: not a number"),
        (pa.array([True]), pa.float64(), "not a number"),
        (pa.array([2**53 + 1]), pa.float64(), "was expected as double: Integer value"),
        (pa.array([1.0]), pa.int64(), "not an integer"),
        (pa.array([True]), pa.int64(), "not an integer"),
        (pa.array([True]), pa.string(), "not text"),
        (pa.array([0.5]), pa.float32(), "is double, and was expected as float: it would be round"),
        (pa.array([0.5]), pa.decimal128(3, 1), "it would be rounded"),
        (pa.array([Decimal("0.25")]), pa.decimal128(3, 1), "Rescaling"),
        (pa.array([2**24 + 1]), pa.float32(), "was expected as float: Integer value"),
        (pa.array([0], pa.timestamp("s")), pa.date32(), "not a date"),
        (pa.array(["2026-11-01"]), pa.date32(), "not a date"),
    ],
)
def test_values_that_would_change(values: pa.Array, type_: pa.DataType, problem: str) -> None:
    with pytest.raises(Terminal) as caught:
        conform(values, type_, "column", "here")
    assert caught.value.message.startswith("here: the column 'column' is ")
    assert problem in caught.value.message
