"""The types that columns of a declared model may have: those that every destination delivers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from batch_exports.errors import ConfigurationError
from batch_exports.models.model import JSON, TIMESTAMP

MOST_DIGITS = 38
MOST_DIGITS_AFTER_POINT = 37
"""Of a NUMERIC: https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html"""

_NUMERIC = re.compile(r"numeric\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")


@dataclass(frozen=True)
class DeclaredType:
    """`arrow` is the type in which values move. `types` are those of columns in tables that are
    made, by kind of destination, where they are not the usual ones of the Arrow type.

    Values of one `in_keys` are told apart by every destination, and have an order.
    """

    arrow: pa.DataType
    meaning: str
    types: Mapping[str, str] = field(default_factory=dict)
    in_keys: bool = False
    ordered: bool = True


def _everywhere(type_: str) -> dict[str, str]:
    return {"postgres": type_, "redshift": type_}


VOCABULARY: Mapping[str, DeclaredType] = {
    "text": DeclaredType(pa.string(), "Text; a UUID is text as well.", in_keys=True),
    "boolean": DeclaredType(pa.bool_(), "true or false.", ordered=False),
    "smallint": DeclaredType(
        pa.int64(), "A whole number of 16 bits.", _everywhere("SMALLINT"), in_keys=True
    ),
    "integer": DeclaredType(
        pa.int64(), "A whole number of 32 bits.", _everywhere("INTEGER"), in_keys=True
    ),
    "bigint": DeclaredType(pa.int64(), "A whole number of 64 bits.", in_keys=True),
    "real": DeclaredType(pa.float32(), "A binary fraction of 32 bits."),
    "double": DeclaredType(pa.float64(), "A binary fraction of 64 bits."),
    "numeric(p, s)": DeclaredType(
        pa.decimal128(MOST_DIGITS, 9),
        f"A decimal fraction of p digits, at most {MOST_DIGITS}, of which s stand after the point, "
        f"at most {MOST_DIGITS_AFTER_POINT}. Without s, none do.",
    ),
    "date": DeclaredType(pa.date32(), "A day.", in_keys=True),
    "timestamp": DeclaredType(
        TIMESTAMP, "A moment, to the microsecond; one without a zone is in UTC.", in_keys=True
    ),
    "json": DeclaredType(JSON, "A JSON document; files have its own spelling.", ordered=False),
    "text[]": DeclaredType(pa.list_(pa.string()), "A list of text.", ordered=False),
}
"""The types by their names; `numeric(p, s)` stands for all of its kind."""


def declared_type(written: str, path: str) -> DeclaredType:
    """The type of that name, in lower case or upper. Raises `ConfigurationError` for the field
    `path` where there is none."""
    name = " ".join(written.lower().split())
    if name in VOCABULARY and name != "numeric(p, s)":
        return VOCABULARY[name]
    found = _NUMERIC.fullmatch(name)
    if not found:
        raise ConfigurationError(
            path,
            f"{written!r} is not a type.",
            remedy=f"There is: {', '.join(VOCABULARY)}.",
        )
    precision, scale = int(found[1]), int(found[2] or 0)
    if not 1 <= precision <= MOST_DIGITS or scale > min(precision, MOST_DIGITS_AFTER_POINT):
        raise ConfigurationError(
            path,
            f"{written!r} is not a type.",
            remedy=f"Give 1 to {MOST_DIGITS} digits, and of these no more than "
            f"{MOST_DIGITS_AFTER_POINT} after the point.",
        )
    return DeclaredType(pa.decimal128(precision, scale), VOCABULARY["numeric(p, s)"].meaning)
