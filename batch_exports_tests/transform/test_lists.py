"""Lists keep their bounds when their elements are changed, whatever list Arrow has them in."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.transform.lists import with_elements

TYPES = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view]
LISTS = st.lists(st.none() | st.lists(st.none() | st.text(max_size=3), max_size=4), max_size=8)


@given(LISTS, st.integers(0, 3), st.sampled_from(TYPES))
def test_other_elements_in_the_same_lists(rows: list[Any], start: int, list_of: Any) -> None:
    before = pa.array(rows, list_of(pa.string()))[start:]
    elements = before.flatten()
    lengths = pa.array([None if e is None else len(e) for e in elements.to_pylist()], pa.int64())
    after = with_elements(before, lengths)
    after.validate(full=True)
    assert after.type == pa.list_(pa.int64())
    assert after.to_pylist() == [
        row if row is None else [None if e is None else len(e) for e in row] for row in rows[start:]
    ]


@pytest.mark.parametrize("start", [0, 1, 3])
def test_lists_of_a_fixed_size(start: int) -> None:
    rows = [["a", "b"], None, ["c", None]]
    before = pa.array(rows, pa.list_(pa.string(), 2))[start:]
    assert with_elements(before, before.flatten()).to_pylist() == rows[start:]


def test_null_lists_with_elements_below_them() -> None:
    below = pa.ListArray.from_arrays(
        pa.array([0, 2, 3]), pa.array(["a", "b", "c"]), mask=pa.array([True, False])
    )
    assert with_elements(below, below.flatten()).to_pylist() == [None, ["c"]]
