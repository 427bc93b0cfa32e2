"""Numbers and instants, held against Python's own comparison and calendar."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.transform.ranges import bounds_of_years, days_of_years, not_finite, outside

INTEGERS = st.integers(-(2**63), 2**63 - 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@given(
    st.lists(INTEGERS | st.none()),
    st.integers(-(2**65), 2**63 - 1),
    st.integers(-(2**63), 2**65),
    st.integers(0, 2),
)
def test_outside(values: list[int | None], least: int, greatest: int, offset: int) -> None:
    column = pa.array([0] * offset + values, pa.int64())[offset:]
    expected = [at for at, n in enumerate(values) if n is not None and not least <= n <= greatest]
    assert outside(column, least, greatest) == expected


def test_narrow_columns_within_wide_bounds() -> None:
    column = pa.array([-128, None, 127], pa.int8())
    assert outside(column, -(2**31), 2**31 - 1) == []
    assert outside(column, -(2**31), 126) == [2]


@given(st.integers(1, 9998))
def test_years_as_python_knows_them(year: int) -> None:
    first, last = bounds_of_years(year, year)
    assert first == (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
    assert last + 1 == (datetime(year + 1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND


@given(st.integers(-290_000, 294_000))
def test_years_as_numpy_knows_them(year: int) -> None:
    first, last = (
        np.datetime64(y - 1970, "Y").astype("datetime64[us]").astype(int) for y in (year, year + 1)
    )
    assert bounds_of_years(year, year) == (first, last - 1)
    days = [
        np.datetime64(y - 1970, "Y").astype("datetime64[D]").astype(int) for y in (year, year + 1)
    ]
    assert days_of_years(year, year) == (days[0], days[1] - 1)


@pytest.mark.parametrize("type_", [pa.float32(), pa.float64()])
def test_not_finite(type_: pa.DataType) -> None:
    inf, nan = float("inf"), float("nan")
    assert not_finite(pa.array([1.5, inf, None, nan, -inf, -0.0], type_)) == [1, 3, 4]
    assert not_finite(pa.array([], type_)) == []
