"""Kinds of columns: what a type of PostgreSQL or Redshift is to a sync."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """Types that are read, and compared, in the same way."""

    INTEGER = auto()
    DECIMAL = auto()
    REAL = auto()
    DOUBLE = auto()
    BOOLEAN = auto()
    TEXT = auto()
    CHAR = auto()
    DATE = auto()
    TIMESTAMP = auto()
    TIMESTAMPTZ = auto()
    TIME = auto()
    TIMETZ = auto()
    JSON = auto()
    JSONB = auto()
    BYTES = auto()
    OTHER = auto()


NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})
FLOATS = frozenset({Kind.REAL, Kind.DOUBLE})
IDENTIFIERS = NUMBERS | {Kind.TEXT, Kind.CHAR}
"""What an identifier may be."""
KEYS = IDENTIFIERS | {Kind.BOOLEAN, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
"""What a column of a primary key may be: two that are equal have one text."""


@dataclass(frozen=True)
class TableColumn:
    """`type` is as in SQL, such as `numeric(18,2)`. A type that is not known has no kind."""

    name: str
    type: str
    kind: Kind | None


# pg_type.typname, of a domain that of its base. What is not named is Kind.OTHER, enums are text.
POSTGRES: Mapping[str, Kind] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), Kind.INTEGER),
    "numeric": Kind.DECIMAL,
    "float4": Kind.REAL,
    "float8": Kind.DOUBLE,
    "bool": Kind.BOOLEAN,
    **dict.fromkeys(("text", "varchar", "name", "char", "citext", "uuid"), Kind.TEXT),
    "bpchar": Kind.CHAR,
    "date": Kind.DATE,
    "timestamp": Kind.TIMESTAMP,
    "timestamptz": Kind.TIMESTAMPTZ,
    "time": Kind.TIME,
    "timetz": Kind.TIMETZ,
    "json": Kind.JSON,
    "jsonb": Kind.JSONB,
    "bytea": Kind.BYTES,
}

# svv_columns.data_type: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html. What is
# not named, such as GEOMETRY and HLLSKETCH, has no kind.
REDSHIFT: Mapping[str, Kind] = {
    **dict.fromkeys(("smallint", "integer", "bigint"), Kind.INTEGER),
    "numeric": Kind.DECIMAL,
    "real": Kind.REAL,
    "double precision": Kind.DOUBLE,
    "boolean": Kind.BOOLEAN,
    "character varying": Kind.TEXT,
    "character": Kind.CHAR,
    "date": Kind.DATE,
    "timestamp without time zone": Kind.TIMESTAMP,
    "timestamp with time zone": Kind.TIMESTAMPTZ,
    "time without time zone": Kind.TIME,
    "time with time zone": Kind.TIMETZ,
    "super": Kind.JSON,
    **dict.fromkeys(("varbyte", "binary varying", "varbinary"), Kind.BYTES),
}
