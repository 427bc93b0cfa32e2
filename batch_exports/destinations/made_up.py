"""Rows that stand for real ones where a delivery is rehearsed."""

import random
import uuid
from datetime import datetime
from typing import Any

import pyarrow as pa

from batch_exports.models import TIMESTAMP, Column, Projection

_TEXTS = ("test", "\0")
# Keys of sources are not negative; these fit into 32 bits.
_KEYS = 2**29


def made_up_rows(projection: Projection, moment: datetime) -> pa.RecordBatch:
    """Two rows with a value in each column, and a key that no other row has; all their times are
    `moment`. The text of the second is U+0000, which not every destination can hold."""
    return pa.RecordBatch.from_arrays(
        [_column(column, projection.model.key, moment) for column in projection.columns],
        schema=projection.schema,
    )


def _column(column: Column, key: tuple[str, ...], moment: datetime) -> pa.Array:
    if column.is_json:
        return pa.ExtensionArray.from_storage(column.type, pa.array(["{}"] * len(_TEXTS)))
    if pa.types.is_string(column.type) and column.name in key:
        return pa.array([str(uuid.uuid4()) for _ in _TEXTS])
    if pa.types.is_integer(column.type) and column.name in key:
        first = -random.randrange(_KEYS, 2 * _KEYS)
        return pa.array([first - number for number, _ in enumerate(_TEXTS)], column.type)
    if pa.types.is_string(column.type):
        return pa.array(_TEXTS)
    return pa.array([_value(column.type, moment)] * len(_TEXTS), column.type)


def _value(type_: pa.DataType, moment: datetime) -> Any:
    if type_.equals(TIMESTAMP):
        return moment
    if pa.types.is_list(type_):
        return list(_TEXTS[:1])
    return False if pa.types.is_boolean(type_) else 0
