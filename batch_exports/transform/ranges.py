"""Columns of numbers and instants: which values lie outside what can be held."""

import pyarrow as pa
import pyarrow.compute as pc

_DAY = 86_400_000_000  # microseconds
_DAYS_TO_1970 = 719_162  # from the beginning of year 1


def outside(values: pa.Array, least: int, greatest: int) -> list[int]:
    """The positions of integers below `least` or above `greatest`."""
    extremes = pc.min_max(values).as_py()
    if extremes["min"] is None or least <= extremes["min"] <= extremes["max"] <= greatest:
        return []
    # What lies beyond 64 bits bounds nothing, and could not be compared.
    least, greatest = max(least, -(2**63)), min(greatest, 2**63 - 1)
    beyond = pc.or_(pc.less(values, least), pc.greater(values, greatest))
    positions: list[int] = pc.indices_nonzero(beyond).to_pylist()
    return positions


def bounds_of_years(first: int, last: int) -> tuple[int, int]:
    """The first and the last microsecond of whole years, counted from 1970.

    Years are those of the proleptic Gregorian calendar, as astronomers count them: 0 is 1 BC.
    """
    least, most = days_of_years(first, last)
    return least * _DAY, (most + 1) * _DAY - 1


def days_of_years(first: int, last: int) -> tuple[int, int]:
    """The first and the last day of whole years, counted from 1970."""
    return _days_before(first), _days_before(last + 1) - 1


def _days_before(year: int) -> int:
    years = year - 1
    return 365 * years + years // 4 - years // 100 + years // 400 - _DAYS_TO_1970


def not_finite(values: pa.Array) -> list[int]:
    """The positions of NaN and of infinities."""
    positions: list[int] = pc.indices_nonzero(pc.invert(pc.is_finite(values))).to_pylist()
    return positions
