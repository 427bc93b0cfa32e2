"""Columns of an UNLOAD: the type that each has in Parquet, and its values out of text.

https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from batch_exports.local.redshift.number_columns import numbers_of
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.target import TargetColumn
from batch_exports.local.redshift.time_columns import dates_of, times_of
from batch_exports.models import JSON

_TYPE = re.compile(r"(?P<name>[a-z0-9]+)(?:\((?P<first>\d+)(?:, *(?P<second>\d+))?\))?")
_TYPES: dict[str, tuple[str, pa.DataType]] = {
    "varchar": ("character varying", pa.string()),
    "text": ("character varying", pa.string()),
    "char": ("character", pa.string()),
    "int2": ("smallint", pa.int16()),
    "int4": ("integer", pa.int32()),
    "int8": ("bigint", pa.int64()),
    "bool": ("boolean", pa.bool_()),
    "float4": ("real", pa.float32()),
    "float8": ("double precision", pa.float64()),
    "date": ("date", pa.date32()),
    # The time zone of a TIMESTAMPTZ is not unloaded: what stays is the wall clock in UTC.
    "timestamp": ("timestamp without time zone", pa.timestamp("us")),
    "timestamptz": ("timestamp with time zone", pa.timestamp("us")),
    # https://docs.aws.amazon.com/redshift/latest/dg/unload-super.html: Parquet's type JSON.
    "super": ("super", JSON),
}


@dataclass(frozen=True)
class UnloadedColumn:
    """A column: its name, its type here, and how a manifest describes that."""

    name: str
    type: str
    arrow_type: pa.DataType
    described: dict[str, Any]

    def read(self, text: pa.Array) -> pa.Array:
        """The values of PostgreSQL's text form."""
        if self.type == "super":
            return pa.ExtensionArray.from_storage(JSON, text)
        if pa.types.is_string(self.arrow_type):
            return text
        if self.type in ("timestamp", "timestamptz"):
            instants = times_of(text, self.type, "auto").values
            return instants.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).cast(self.arrow_type)
        if self.type == "date":
            return dates_of(text, None).values
        decimal = self.type == "numeric"
        precision = self.arrow_type.precision if decimal else None
        scale = self.arrow_type.scale if decimal else None
        column = TargetColumn(self.name, self.type, precision=precision, scale=scale)
        return numbers_of(text, column).values


def unloaded_columns(columns: Sequence[tuple[str, str]]) -> list[UnloadedColumn]:
    """Columns by their names and types. Raises Refusal for a type that Parquet is not made of."""
    return [_column(name, type_) for name, type_ in columns]


def _column(name: str, type_: str) -> UnloadedColumn:
    found = _TYPE.fullmatch(type_)
    base = found["name"] if found else type_
    if base == "varbyte":
        # https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html#unload-usage-varbyte
        raise Refusal("0A000", f"UNLOAD to PARQUET does not support the VARBYTE column {name}")
    first, second = (found["first"], found["second"]) if found else (None, None)
    if base == "numeric":
        precision, scale = int(first or 18), int(second or 0)
        described = {"base": "numeric", "precision": precision, "scale": scale}
        return UnloadedColumn(name, base, pa.decimal128(precision, scale), described)
    if base not in _TYPES:
        raise Refusal("0A000", f"UNLOAD of the type {type_} is not covered by the emulator")
    spelled, arrow_type = _TYPES[base]
    described = {"base": spelled} | ({"max_length": int(first)} if first else {})
    return UnloadedColumn(name, base, arrow_type, described)
