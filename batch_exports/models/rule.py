"""A rule that columns of a model keep among themselves, and that a check can try on rows."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Rule:
    """`description` states the rule as it must hold, with the URL of whoever promises it.

    `broken` takes a batch with at least the `columns`, and is true for each row that breaks the
    rule, never NULL. A row that lacks a value which the rule needs does not break it.
    """

    name: str
    description: str
    columns: tuple[str, ...]
    broken: Callable[[pa.RecordBatch], pa.Array]
