"""Record batches as rows of PostgreSQL's binary COPY, built column by column from whole buffers.

The rows' format is documented under "Binary Format" of COPY
(https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS). That of a value is
what its type's receive function reads, which each encoder names; these functions stand in
PostgreSQL's source, src/backend/utils/adt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.models import JSON
from batch_exports.transform.decimals import base_10000
from batch_exports.transform.json_text import contents

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(4) + bytes(4)
"""What comes before all rows: no flags, and a header extension of no bytes."""

TRAILER = b"\xff\xff"
"""What comes after all rows."""

_NULL = -1  # in the place of a length
_EPOCH = 10_957  # days from 1970-01-01 to 2000-01-01, from which PostgreSQL counts
_FIRST_DAY = -2_440_588  # from 1970-01-01: 4714-11-24 BC, MIN_TIMESTAMP of datatype/timestamp.h
_LAST_DAY = 2_145_042_905  # from 1970-01-01; the next is DATE_END_JULIAN of the same file
_MICROSECONDS = 86_400_000_000  # of a day
_NIL = "00000000-0000-0000-0000-000000000000"
_DASHES = [place for place, character in enumerate(_NIL) if character == "-"]
_DIGITS = [place for place, character in enumerate(_NIL) if character != "-"]
_NO_DIGIT = 0xFF
_HEXADECIMAL = np.full(256, _NO_DIGIT, np.uint8)
_HEXADECIMAL[[*b"0123456789abcdefABCDEF"]] = [*range(16), *range(10, 16)]

_Numbers: TypeAlias = npt.NDArray[Any]
_Presence: TypeAlias = npt.NDArray[np.bool_] | None


@dataclass(frozen=True)
class _Fixed:
    """A number of a fixed width in each row, or only in those where `present` is true."""

    format: str
    values: _Numbers | int
    present: _Presence = None


# What rows are put together from, one after the other: a NULL of an array adds no bytes to its row.
_Part: TypeAlias = _Fixed | pa.Array
_Encoder: TypeAlias = Callable[[pa.Array], Iterator[_Part]]


def encode_rows(batch: pa.RecordBatch, types: Sequence[str]) -> pa.Buffer:
    """The rows of a batch, to be sent between `SIGNATURE` and `TRAILER`.

    `types` are the base types of the target's columns, by `pg_type.typname`, in the batch's order.
    JSON columns must hold JSON, and text no NUL (see `clean`), or the server refuses all rows.
    Batches of 4 to 8 MiB cost the least: each call has a fixed price, about that of 1 MiB, and for
    results beyond 8 MiB Arrow's allocator goes to the system.

    Raises TypeError for a pair of types without a form (see `accepts`), OverflowError for a number
    or time that its type cannot hold, ValueError for text that is no UUID, and `pa.ArrowException`
    where the rows take 2 GiB or more.
    """
    if batch.num_rows == 0:
        return pa.py_buffer(b"")
    parts: list[_Part] = [_Fixed(">i2", batch.num_columns)]
    for field, values, typname in zip(batch.schema, batch.columns, types, strict=True):
        encoder = _encoder(field.type, typname)
        if encoder is None:
            raise TypeError(
                f"{field.name}: no way to encode {field.type} as PostgreSQL's {typname} is known."
            )
        try:
            parts += encoder(values.storage if field.type.equals(JSON) else values)
        except (OverflowError, ValueError) as error:
            column = f"{field.name} ({field.type} as PostgreSQL's {typname})"
            raise type(error)(f"{column}: {error}") from error
    return contents(_joined(parts, batch.num_rows))


def accepts(arrow_type: pa.DataType, typname: str) -> bool:
    """Whether `encode_rows` has a form of an Arrow type for a PostgreSQL type."""
    return _encoder(arrow_type, typname) is not None


def _encoder(arrow_type: pa.DataType, typname: str) -> _Encoder | None:
    return _ENCODERS.get(_kind(arrow_type), {}).get(typname)


def _kind(arrow_type: pa.DataType) -> str:
    if arrow_type.equals(JSON):
        return "json"
    if pa.types.is_integer(arrow_type):
        return "integer"
    if pa.types.is_decimal128(arrow_type):
        return "decimal"
    if pa.types.is_list(arrow_type) and pa.types.is_string(arrow_type.value_type):
        return "list<string>"
    return str(arrow_type)


def _joined(parts: Sequence[_Part], rows: int) -> pa.Array:
    """All parts of each row as one binary value.

    Joining costs by the piece, so neighbouring numbers that are there in the same rows are one.
    """
    pieces = []
    for _, group in groupby(parts, lambda p: id(p.present if isinstance(p, _Fixed) else p)):
        neighbours = list(group)
        if isinstance(neighbours[0], _Fixed):
            pieces.append(_records(neighbours, rows))
        else:
            pieces += neighbours
    return pc.binary_join_element_wise(*pieces, b"", null_handling="skip")


def _records(parts: Sequence[_Fixed], rows: int) -> pa.Array:
    layout = np.dtype([(str(number), part.format) for number, part in enumerate(parts)])
    records = np.empty(rows, layout)
    for number, part in enumerate(parts):
        records[str(number)] = part.values
    buffers = [_validity(parts[0].present), pa.py_buffer(records)]
    return pa.Array.from_buffers(pa.binary(layout.itemsize), rows, buffers).cast(pa.binary())


def _present(values: pa.Array) -> _Presence:
    """Which values are not NULL; None where none is."""
    return values.is_valid().to_numpy(zero_copy_only=False) if values.null_count else None


def _validity(present: _Presence) -> pa.Buffer | None:
    return None if present is None else pa.py_buffer(np.packbits(present, bitorder="little"))


def _numbers(values: pa.Array) -> _Numbers:
    """The values, with 0 for NULL."""
    numbers: _Numbers = pc.fill_null(values, 0).to_numpy()
    return numbers


def _with_length(lengths: pa.Array, *value: _Part) -> Iterator[_Part]:
    """A value behind its length in bytes, NULL where that is NULL."""
    yield _Fixed(">i4", pc.fill_null(lengths, _NULL).to_numpy())
    yield from value


def _fixed_width(values: pa.Array, *numbers: tuple[str, _Numbers | int]) -> Iterator[_Part]:
    """Values that consist of the same numbers each."""
    present = _present(values)
    width = sum(np.dtype(form).itemsize for form, _ in numbers)
    yield _Fixed(">i4", width if present is None else np.where(present, width, _NULL))
    yield from (_Fixed(form, number, present) for form, number in numbers)


def _bytes(values: pa.Array) -> Iterator[_Part]:
    """`textrecv`, `varcharrecv`, `bpcharrecv`, `json_recv`, `bytearecv`: the bytes as they are."""
    return _with_length(pc.binary_length(values), values.cast(pa.binary()))


def _jsonb(values: pa.Array) -> Iterator[_Part]:
    """`jsonb_recv`: the version of the format, 1, and the JSON as text."""
    lengths = pc.add(pc.binary_length(values), 1)
    return _with_length(lengths, _Fixed("u1", 1, _present(values)), values.cast(pa.binary()))


def _bool(values: pa.Array) -> Iterator[_Part]:
    """`boolrecv`: a byte that is not 0 if true."""
    return _fixed_width(values, ("u1", _numbers(values.cast(pa.uint8()))))


def _float(form: str, values: pa.Array) -> Iterator[_Part]:
    """`float4recv`, `float8recv`: IEEE 754."""
    return _fixed_width(values, (form, _numbers(values)))


def _integer(form: str, values: pa.Array) -> Iterator[_Part]:
    """`int2recv`, `int4recv`, `int8recv`: two's complement."""
    _check_range(values, np.iinfo(form).min, np.iinfo(form).max)
    return _fixed_width(values, (form, _numbers(values)))


def _numeric(values: pa.Array) -> Iterator[_Part]:
    """`numeric_recv`: how many digits to base 10,000, the first one's weight, the sign, the number
    of decimal places, and the digits, of which leading zeros are dropped.
    """
    if pa.types.is_integer(values.type):
        values = values.cast(pa.decimal128(20, 0))  # which holds those of 64 bits, signed or not
    number = base_10000(values)
    return _fixed_width(
        values,
        (">i2", len(number.digits)),
        (">i2", number.weight),
        (">u2", np.where(number.negative, 0x4000, 0)),
        (">i2", values.type.scale),
        *((">i2", digit) for digit in number.digits),
    )


def _since_2000(form: str, day: int, last: int, values: pa.Array) -> Iterator[_Part]:
    """`timestamptz_recv`, `timestamp_recv`, `date_recv`: microseconds or days since 2000-01-01.

    The server would read the least and the greatest number as -infinity and infinity. All of
    Arrow's microseconds lie before the end of its calendar, END_TIMESTAMP of datatype/timestamp.h.
    """
    counts = values.cast(f"int{8 * np.dtype(form).itemsize}")
    _check_range(counts, _FIRST_DAY * day, last)
    return _fixed_width(values, (form, _numbers(counts) - _EPOCH * day))


def _uuid(values: pa.Array) -> Iterator[_Part]:
    """`uuid_recv`: 16 bytes."""
    text = pc.fill_null(values, _NIL).cast(pa.binary())
    if not pc.all(pc.equal(pc.binary_length(text), len(_NIL))).as_py():
        raise _no_uuid(values)
    _, packed = text.cast(pa.binary(len(_NIL))).buffers()  # of just these values, unlike `text`'s
    octets = np.frombuffer(packed, np.uint8).reshape(len(text), len(_NIL))
    digits = np.take(_HEXADECIMAL, np.take(octets, _DIGITS, axis=1))
    if (digits == _NO_DIGIT).any() or (octets[:, _DASHES] != ord("-")).any():
        raise _no_uuid(values)
    pairs = digits[:, ::2] << 4 | digits[:, 1::2]
    return _fixed_width(values, ("V16", pairs.view("V16").ravel()))


def _no_uuid(values: pa.Array) -> ValueError:
    pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
    first = values.filter(pc.invert(pc.match_substring_regex(values, pattern))).cast(pa.binary())[0]
    return ValueError(f"{first.as_py().decode(errors='replace')!r} is no UUID of 36 characters.")


def _text_array(oid: int, values: pa.Array) -> Iterator[_Part]:
    """`array_recv`: how many dimensions (none if empty), whether elements may be NULL, their type,
    the dimension's length and first index, and the elements as `textrecv` takes them.
    """
    present, offsets = _present(values), values.offsets.to_numpy()
    elements = values.values.slice(offsets[0], offsets[-1] - offsets[0])
    joined = _joined([*_bytes(elements)], len(elements))
    ends = np.frombuffer(joined.buffers()[1], np.int32)[offsets - offsets[0]]
    items = pa.Array.from_buffers(
        pa.binary(), len(values), [_validity(present), pa.py_buffer(ends), joined.buffers()[2]]
    )
    counts = np.diff(offsets)
    filled = counts > 0 if present is None else (counts > 0) & present
    lengths = pc.add(pc.binary_length(items), pa.array(np.where(filled, 20, 12)))
    return _with_length(
        lengths,
        _Fixed(">i4", filled, present),
        _Fixed(">i4", int(elements.null_count > 0), present),
        _Fixed(">i4", oid, present),
        _Fixed(">i4", counts, filled),
        _Fixed(">i4", 1, filled),
        items,
    )


def _check_range(values: pa.Array, least: int, most: int) -> None:
    bounds = pc.min_max(values).as_py()
    for bound in bounds.values():
        if bound is not None and not least <= bound <= most:
            raise OverflowError(f"{bound} lies outside {least} to {most}.")


_TEXT: dict[str, _Encoder] = {
    "text": _bytes,
    "varchar": _bytes,
    "bpchar": _bytes,
    "json": _bytes,
    "jsonb": _jsonb,
}
_TIMES: dict[str, _Encoder] = dict.fromkeys(
    ("timestamptz", "timestamp"), partial(_since_2000, ">i8", _MICROSECONDS, 2**63 - 1)
)
_ENCODERS: dict[str, dict[str, _Encoder]] = {
    "string": {**_TEXT, "uuid": _uuid},
    "json": _TEXT,
    "binary": {"bytea": _bytes},
    "bool": {"bool": _bool},
    "integer": {
        "int2": partial(_integer, ">i2"),
        "int4": partial(_integer, ">i4"),
        "int8": partial(_integer, ">i8"),
        "numeric": _numeric,
    },
    "decimal": {"numeric": _numeric},
    "float": {"float4": partial(_float, ">f4"), "float8": partial(_float, ">f8")},
    "double": {"float8": partial(_float, ">f8")},
    "timestamp[us, tz=UTC]": _TIMES,
    "date32[day]": {"date": partial(_since_2000, ">i4", 1, _LAST_DAY)},
    "list<string>": {"_text": partial(_text_array, 25), "_varchar": partial(_text_array, 1043)},
}
"""How values are encoded, by the kind of their Arrow type and the name of the target's type."""
