"""Rows in the form in which Redshift takes them, from files of Parquet or from statements.

SUPER is loaded in two steps. COPY from Parquet, and INSERT, would hold a whole document in SUPER
to the size of one string, so a stage takes its text as VARBYTE, of which JSON_PARSE makes SUPER
(https://docs.aws.amazon.com/redshift/latest/dg/JSON_PARSE.html).
"""

from collections.abc import Set

import pyarrow as pa

from batch_exports.models import JSON
from batch_exports.transform.json_arrays import json_arrays


def for_parquet(batch: pa.RecordBatch, supers: Set[str]) -> pa.RecordBatch:
    """The same rows in types that Redshift reads from Parquet.

    JSON becomes its text, and a list of text a JSON array as text: binary in columns named in
    `supers`, else a string. Times with a zone become their wall clock in UTC, since Redshift reads
    none from Parquet. All else stays.

    Raises TypeError for a column of `supers` that is neither JSON nor a list of text.
    """
    columns = [
        _column(field, values, in_super=field.name in supers)
        for field, values in zip(batch.schema, batch.columns, strict=True)
    ]
    fields = [
        field.with_type(values.type) for field, values in zip(batch.schema, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _column(field: pa.Field, values: pa.Array, *, in_super: bool) -> pa.Array:
    type_ = field.type
    if type_.equals(JSON):
        return _text(values.storage, in_super=in_super)
    if pa.types.is_list(type_) and pa.types.is_string(type_.value_type):
        return _text(json_arrays(values), in_super=in_super)
    if in_super:
        raise TypeError(f"{field.name}: no way to make SUPER of {type_} is known.")
    if pa.types.is_timestamp(type_) and type_.tz:
        return values.cast(pa.timestamp("us"))
    return values


def _text(values: pa.Array, *, in_super: bool) -> pa.Array:
    return values.cast(pa.binary()) if in_super else values
