"""Decimals as digits to base 10,000, which is how PostgreSQL counts, a whole column at a time."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_Numbers: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Digits:
    """A column of numbers by their digits, the greatest first; the first counts 10,000**`weight`.

    NULL has the digits of 0.
    """

    negative: _Numbers
    weight: int
    digits: list[_Numbers]


def base_10000(values: pa.Array) -> Digits:
    """The digits of 128-bit decimals of a scale of 0 or more. The point stands between digits."""
    precision, scale = values.type.precision, values.type.scale
    negative, limbs = _sign_and_limbs(values)
    digits = []
    if odd := scale % 4:
        digits.append(_divide(limbs, 10**odd) * 10 ** (4 - odd))
    whole = max(1, -(-(precision - scale) // 4))
    digits += [_divide(limbs, 10_000) for _ in range(scale // 4 + whole)]
    return Digits(negative, whole - 1, digits[::-1])


def _sign_and_limbs(values: pa.Array) -> tuple[_Numbers, list[_Numbers]]:
    """Which numbers are below 0, and of each its absolute value as 4 times 32 bits, the highest
    first."""
    filled = values.fill_null(pa.scalar(Decimal(0), values.type))
    words = np.frombuffer(filled.buffers()[1], "<u8").reshape(-1, 2)
    words = words[filled.offset : filled.offset + len(filled)]
    low, high = words[:, 0], words[:, 1]
    negative = high >> 63 == 1
    low = np.where(negative, ~low + np.uint64(1), low)
    high = np.where(negative, ~high + (low == 0), high)
    return negative, [high >> 32, high & 0xFFFFFFFF, low >> 32, low & 0xFFFFFFFF]


def _divide(limbs: list[_Numbers], divisor: int) -> _Numbers:
    """Divide in place, and return the remainders."""
    rest: _Numbers = np.zeros_like(limbs[0])
    for place, limb in enumerate(limbs):
        limbs[place], rest = np.divmod(rest << np.uint64(32) | limb, np.uint64(divisor))
    return rest
