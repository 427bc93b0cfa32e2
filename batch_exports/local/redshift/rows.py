"""What is read of a file: rows in the form of the target, and the errors of those left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.local.redshift.converted import Converted, Fault, faults_where, without
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.target import TargetColumn
from batch_exports.transform.json_text import positions_mask

_MOST_RAW = 1024  # characters of stl_load_errors.raw_field_value

# https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html
MISSING = "Missing data for not-null field"


@dataclass(frozen=True)
class LoadError:
    """A row of stl_load_errors. `line` counts from 1; it is -1 where a format has no lines."""

    uri: str
    line: int
    column: str
    column_type: str
    column_length: str
    raw_value: str
    code: int
    reason: str


@dataclass(frozen=True)
class Rows:
    """Rows of a file that fit, and the errors of the others; `refusal` ends the whole COPY."""

    batch: pa.RecordBatch
    errors: list[LoadError] = field(default_factory=list)
    refusal: Refusal | None = None


def with_nulls_checked(converted: Converted, column: TargetColumn) -> Converted:
    """NULL in a column that takes none is a fault, unless the value has one already."""
    if column.nullable or not converted.values.null_count:
        return converted
    known = {fault.position for fault in converted.faults}
    missing = faults_where(pc.is_null(converted.values), 1213, MISSING)
    more = [fault for fault in missing if fault.position not in known]
    return Converted(converted.values, converted.faults + more)


def load_error(
    fault: Fault, column: TargetColumn | None, raw: str, uri: str, line: int
) -> LoadError:
    """The error of a value; without a column it is the whole row's."""
    raw = raw[:_MOST_RAW].replace("\0", "")
    if column is None:
        return LoadError(uri, line, "", "", "", raw, fault.code, fault.reason)
    return LoadError(
        *(uri, line, column.name, column.type, column.dimension, raw, fault.code, fault.reason)
    )


def fitting_rows(
    columns: Sequence[TargetColumn],
    converted: Sequence[Converted],
    error_of: Callable[[int, Fault], LoadError],
) -> Rows:
    """The rows without a fault. Of a row with several, the first column's is told.

    `error_of` gets the index of the column.
    """
    first: dict[int, tuple[int, Fault]] = {}
    for index, column in enumerate(converted):
        for fault in column.faults:
            first.setdefault(fault.position, (index, fault))
    values = [without(column.values, column.faults) for column in converted]
    batch = pa.RecordBatch.from_arrays(values, names=[column.name for column in columns])
    if first:
        bad = positions_mask(sorted(first), batch.num_rows)
        batch = batch.filter(pc.invert(bad))
    return Rows(batch, [error_of(*first[position]) for position in sorted(first)])
