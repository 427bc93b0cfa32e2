"""Rows that are kept aside since no call of theirs was taken."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from batch_exports.models import JSON
from batch_exports.transform.clean import aside_schema

Refusal = tuple[int, str, str]
"""A position among rows, the column that is to blame, and why."""


def refused_rows(rows: pa.RecordBatch, refusals: Sequence[Refusal]) -> pa.RecordBatch:
    """The originals of refused rows, in the form of those that cleaning rejects."""
    originals = rows.take(pa.array([position for position, _, _ in refusals], pa.int64()))
    schema = aside_schema(rows.schema)
    marks = [
        pa.array(["rejected"] * len(refusals)),
        pa.array([column for _, column, _ in refusals]),
        pa.array([reason for _, _, reason in refusals]),
    ]
    values = [
        (column.storage if column.type.equals(JSON) else column).cast(schema.field(name).type)
        for name, column in zip(rows.schema.names, originals.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays([*marks, *values], schema=schema)


def first_of_each(refusals: Iterable[Refusal]) -> list[Refusal]:
    """One refusal for each row, in the order of rows."""
    found: dict[int, Refusal] = {}
    for refusal in refusals:
        found.setdefault(refusal[0], refusal)
    return [found[position] for position in sorted(found)]


def without(rows: pa.RecordBatch, positions: Iterable[int]) -> pa.RecordBatch:
    """The rows at all other positions."""
    kept = np.ones(rows.num_rows, np.bool_)
    kept[list(positions)] = False
    return rows.filter(pa.array(kept))
