"""Files of Parquet: columns go into the target's by their position.

https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter

import pyarrow as pa
import pyarrow.parquet as pq

from batch_exports.local.redshift.converted import Fault
from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.internal_errors import internal_error, scan_error
from batch_exports.local.redshift.parquet_columns import convert, fits
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.rows import (
    MISSING,
    Rows,
    load_error,
    with_nulls_checked,
)
from batch_exports.local.redshift.target import TargetColumn
from batch_exports.local.redshift.text_columns import TOO_LONG

_BATCH_BYTES = 8 * 2**20


def read_parquet(
    content: bytes, uri: str, copy: Copy, columns: Sequence[TargetColumn], large_strings: bool
) -> Iterator[Rows]:
    """The rows of a file, up to the first that does not fit: it ends the COPY.

    Raises Refusal where the file is no Parquet, or its columns are not the target's.
    """
    try:
        file = pq.ParquetFile(
            pa.BufferReader(content),
            coerce_int96_timestamp_unit="us",
            arrow_extensions_enabled=False,
        )
    except (pa.ArrowInvalid, OSError) as error:
        context = f"File '{uri}' has an invalid version number or is no Parquet file."
        raise scan_error(context, 15001) from error
    _check_schema(file, uri, copy, columns)
    for batch in file.iter_batches(_batch_rows(file)):
        yield _rows(batch, uri, copy, columns, large_strings)


def _check_schema(
    file: pq.ParquetFile, uri: str, copy: Copy, columns: Sequence[TargetColumn]
) -> None:
    fields = list(file.schema_arrow)
    if len(fields) != len(columns):
        raise scan_error(
            "Unmatched number of columns between table and file. "
            f"Table columns: {len(columns)}, Data columns: {len(fields)}, File name: {uri}"
        )
    for field, column in zip(fields, columns, strict=True):
        if column.type == "super" and not copy.serialize_to_json:
            # As met by users who leave it out of a COPY into SUPER.
            raise internal_error("Assert", 1000, "Unreachable - Invalid type: 4000")
        if not fits(field.type, column):
            raise scan_error(
                f"File '{uri}' has an incompatible Parquet schema for column "
                f"'{uri}.{field.name}'. Column type: {_spelled(column)}, Parquet schema: "
                f"{'optional' if field.nullable else 'required'} {field.type} {field.name}"
            )


def _spelled(column: TargetColumn) -> str:
    return column.type.upper() + (f"({column.dimension})" if column.dimension else "")


def _batch_rows(file: pq.ParquetFile) -> int:
    """Rows of about as many bytes as a batch should have, by the largest of the row groups'."""
    groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
    most = max((g.total_byte_size // max(1, g.num_rows) for g in groups), default=0)
    return max(1, min(2**16, _BATCH_BYTES // max(1, most)))


def _rows(
    batch: pa.RecordBatch,
    uri: str,
    copy: Copy,
    columns: Sequence[TargetColumn],
    large_strings: bool,
) -> Rows:
    converted = [
        with_nulls_checked(convert(values, column, copy, large_strings), column)
        for values, column in zip(batch.columns, columns, strict=True)
    ]

    found = [(f.position, i, f) for i, c in enumerate(converted) for f in c.faults]
    if not found:
        arrays = [column.values for column in converted]
        names = [column.name for column in columns]
        return Rows(pa.RecordBatch.from_arrays(arrays, names=names))
    position, index, fault = min(found, key=itemgetter(0, 1))
    value = _shown(batch.column(index)[position])
    error = load_error(fault, columns[index], value.decode(errors="replace"), uri, -1)
    return Rows(batch.slice(0, 0), [error], _refusal(fault, columns[index], value, uri))


def _shown(value: pa.Scalar) -> bytes:
    if pa.types.is_string(value.type):
        value = value.cast(pa.binary())
    if pa.types.is_temporal(value.type):  # which may lie beyond Python's years
        value = value.cast(pa.int64() if pa.types.is_timestamp(value.type) else pa.int32())
    plain = value.as_py()
    return plain if isinstance(plain, bytes) else str(plain).encode()


def _refusal(fault: Fault, column: TargetColumn, value: bytes, uri: str) -> Refusal:
    if fault.reason == MISSING:
        return internal_error(f"Cannot insert a NULL value into column {column.name}", 8007)
    if fault.reason == TOO_LONG:
        return scan_error(
            f"The length of the data column {column.name} is longer than the length defined in "
            f"the table. Table: {column.bytes}, Data: {len(value)}, File name: {uri}"
        )
    return scan_error(f"{fault.reason}, column {column.name}, File name: {uri}", 15001)
