"""A model with a column of every type that models have, and rows of extreme values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from batch_exports.local.hostile import HOSTILE
from batch_exports.models import JSON, TIMESTAMP, Column, Model, Table
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.events import START

_TYPES: Mapping[str, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "json": JSON,
    "long": pa.int64(),
    "short": pa.int32(),
    "double": pa.float64(),
    "single": pa.float32(),
    "decimal": pa.decimal128(38, 9),
    "truth": pa.bool_(),
    "moment": TIMESTAMP,
    "texts": pa.list_(pa.string()),
    "arrived": TIMESTAMP,
}
COLUMNS = tuple(
    Column(name, type_, f"A {name}.", nullable=name != "id") for name, type_ in _TYPES.items()
)
KINDS = Model(
    name="kinds",
    description="A column of every type.",
    columns=COLUMNS,
    key=("id",),
    membership=("arrived",),
    default_columns={"s3": tuple(_TYPES)},
    origin=Table("kinds"),
)
ALL_KINDS = Selection(KINDS, COLUMNS, "arrived")

_MOST = Decimal("99999999999999999999999999999.999999999")
_TEXTS = {
    "empty": "",
    "words for nothing": "NULL",
    "quotes": "\"'`,;\t''\"\"",
    "line ends": "\r\na\n\rb\u2028\v\f",
    "backslashes": "\\N\\.\\\\n",
    "controls": "\x01\x01\x02\x1f\x7f\x85",
    "emoji": "👩‍👩‍👧‍👦 e\u0301 \u202eمرحبا",  # noqa: RUF001
    "a long one": "é" * 100_000,
    "NUL": "a\0b",
}
EXTREMES: dict[str, dict[str, Any]] = {
    # Lists that may be NULL are a case of their own: not every server has them.
    "nothing": {"texts": []},
    "no list": {},
    "list": {"texts": ["", None, "null", 'a,"{b}"\\', "é\n😀"]},
    "least": {
        "long": -(2**63),
        "short": -(2**31),
        "double": -1.7976931348623157e308,
        "single": -3.4028234663852886e38,
        "decimal": _MOST.copy_negate(),
        "truth": False,
    },
    "greatest": {
        "long": 2**63 - 1,
        "short": 2**31 - 1,
        "double": 1.7976931348623157e308,
        "single": 3.4028234663852886e38,
        "decimal": _MOST,
        "truth": True,
    },
    "smallest": {
        "double": 5e-324,
        "single": 1.401298464324817e-45,
        "decimal": Decimal("-0.000000001"),
        "moment": datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    },
    "sums": {"double": 0.1 + 0.2, "decimal": Decimal("0.3")},
    "negative zero": {"double": -0.0, "single": -0.0},
    "infinite": {"double": float("inf"), "single": float("-inf")},
    "not a number": {"double": float("nan"), "single": float("nan")},
    "first moment": {"moment": datetime(1, 1, 1, tzinfo=UTC)},
    "last moment": {"moment": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)},
    **{f"text, {name}": {"text": text} for name, text in _TEXTS.items()},
    **{f"JSON, {name}": {"json": text} for name, text in HOSTILE.items()},
}


def extremes(unheld: frozenset[str]) -> list[dict[str, Any]]:
    """A row for each extreme that a store can hold, in the first hour."""
    assert unheld <= EXTREMES.keys()
    empty = dict.fromkeys(_TYPES)
    return [
        {**empty, **values, "id": name, "arrived": START}
        for name, values in EXTREMES.items()
        if name not in unheld
    ]
