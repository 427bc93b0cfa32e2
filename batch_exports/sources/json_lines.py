"""JSON lines as a source's columns, with nested values kept as they are written.

Each line is cut by msgspec into the raw text of the wanted members, a block of lines at a time in
C; columns are built from those texts in bulk.
"""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Protocol, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import JSON, TIMESTAMP, Model
from batch_exports.sources.membership import member_mask
from batch_exports.sources.projection import derived
from batch_exports.sources.source import Selection
from batch_exports.transform.json_text import mend_surrogates, raw_array, unquote
from batch_exports.transform.lists import with_elements

BLOCK_BYTES = 8 * 2**20
_HAS_ZONE = r"(Z|[+-]\d\d:?\d\d)$"
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_PYTHON_TYPES: tuple[tuple[Callable[[pa.DataType], bool], Any], ...] = (
    (pa.types.is_integer, _INT64),
    (pa.types.is_floating, float),
    (pa.types.is_boolean, bool),
    (pa.types.is_decimal, Decimal),
)
_NOT_JSON = (msgspec.DecodeError, RecursionError)


class Stream(Protocol):
    """Bytes to read, until there are none."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Block:
    """Whole lines, of which the first has the number `line`."""

    data: bytes
    where: str
    line: int

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not blank, each with its number."""
        for number, text in enumerate(self.data.split(b"\n"), start=self.line):
            if text.strip():
                yield number, text


# Makes a column of a type out of the raw JSON texts of a member, which has a name, in a block.
Columns: TypeAlias = Callable[[list[Any], str, pa.DataType, Block], pa.Array]


def column_of(texts: list[Any], name: str, type_: pa.DataType, block: Block) -> pa.Array:
    """Values of just that type: text for text, times and days, numbers for numbers.

    Raises `Terminal` naming the line of one that is not.
    """
    if type_.equals(JSON):
        raw = raw_array(texts)
        return pc.if_else(pc.equal(raw, "null"), None, raw)
    written_as = pa.string() if pa.types.is_temporal(type_) else type_
    python_type = _python_type(written_as)
    try:
        values = _values(texts, python_type, written_as)
    except msgspec.ValidationError:
        raise _bad_value(texts, python_type, name, block) from None
    except pa.ArrowInvalid as error:  # decimals
        raise Terminal(
            f"{block.where}: {name!r} from line {block.line} on has what is no {type_}: {error}.",
            remedy="Leave the column out of the export's columns, or correct the file.",
        ) from error
    if written_as is type_:
        return values
    if pa.types.is_date32(type_):
        return _dates(values, name, block.where)
    return _timestamps(values, name, block.where)


def read_lines(
    stream: Stream,
    where: str,
    selection: Selection,
    interval: DataInterval,
    columns: Columns = column_of,
) -> Generator[pa.RecordBatch, None, None]:
    """The interval's rows, with the source's columns that the selection needs.

    The whole stream is read, as nothing in it tells where an interval lies. A member that a line
    lacks is NULL.
    """
    names = _names(selection)
    types = _types(selection.model)
    line = 1
    for data in _blocks(stream):
        block = Block(data, where, line)
        rows = _decode(block, names)
        arrays = [
            columns(_texts(rows, index), name, types.get(name, pa.string()), block)
            for index, name in enumerate(names)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        batch = batch.filter(member_mask(batch, selection, interval, where, "lines"))
        batch = _with_derived(selection.filters.matching(batch), selection, where)
        line += data.count(b"\n")
        if batch.num_rows:
            yield batch


def count_lines(
    stream: Stream,
    where: str,
    selection: Selection,
    interval: DataInterval,
    columns: Columns = column_of,
) -> int:
    """Count the interval's rows in a pass of its own over the filtered members alone."""
    counted = Selection(selection.model, (), selection.membership, selection.filters)
    batches = read_lines(stream, where, counted, interval, columns)
    return sum(batch.num_rows for batch in batches)


def _names(selection: Selection) -> list[str]:
    names = {selection.membership: None, **dict.fromkeys(selection.filters.columns)}
    for column in selection.columns:
        names[column.source_name] = None
        if column.member_of:
            names[column.member_of[0]] = None
    return list(names)


def _types(model: Model) -> dict[str, pa.DataType]:
    types = {column.source_name: column.type for column in model.columns}
    return types | dict.fromkeys(model.membership, TIMESTAMP)


def _blocks(stream: Stream) -> Generator[bytes, None, None]:
    """Whole lines, about `BLOCK_BYTES` at a time."""
    rest = b""
    while data := stream.read(BLOCK_BYTES):
        head, newline, tail = data.rpartition(b"\n")
        if newline:
            yield rest + head + newline
            rest = tail
        else:
            rest += tail
    if rest.strip():
        yield rest


def _decode(block: Block, names: list[str]) -> list[Any]:
    decoder = _decoder(tuple(names))
    try:
        return decoder.decode_lines(block.data)
    except _NOT_JSON:
        # Lone surrogates are JSON by its grammar, but not to msgspec: cut mended lines, and take
        # the texts from where they stand in the lines as they are.
        mended = mend_surrogates(block.data)
    try:
        rows = decoder.decode_lines(mended)
    except _NOT_JSON:
        raise _bad_line(decoder, block) from None
    for row in rows:
        _restore(row, mended, block.data)
    return rows


def _restore(row: Any, mended: bytes, original: bytes) -> None:
    start = pa.py_buffer(mended).address
    for name in row.__struct_fields__:
        text = pa.py_buffer(getattr(row, name))
        offset = text.address - start
        if 0 <= offset < len(mended):  # else the default of a member that the line lacks
            setattr(row, name, msgspec.Raw(original[offset : offset + text.size]))


def _bad_line(decoder: msgspec.json.Decoder[Any], block: Block) -> Terminal:
    for number, text in block.lines():
        try:
            decoder.decode(mend_surrogates(text))
        except _NOT_JSON as error:
            return Terminal(
                f"{block.where}, line {number}: {error}.",
                remedy="Each line must be one JSON object. Write the file again.",
            )
    raise AssertionError("a block of good lines did not decode")


@cache
def _decoder(names: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    fields = [
        (f"c{index}", msgspec.Raw, msgspec.field(default=msgspec.Raw(b"null"), name=name))
        for index, name in enumerate(names)
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Line", fields))


def _texts(rows: list[Any], index: int) -> list[Any]:
    return list(map(attrgetter(f"c{index}"), rows))


def _python_type(type_: pa.DataType) -> Any:
    """What msgspec makes of a value's JSON text. A number for a float becomes the nearest one."""
    if pa.types.is_list(type_):
        return list[_python_type(type_.value_type) | None]  # type: ignore[misc]
    return next((python for known, python in _PYTHON_TYPES if known(type_)), str)


def _values(texts: list[Any], python_type: Any, type_: pa.DataType) -> pa.Array:
    """The values of JSON texts. Raises `ValidationError` where one is of another type."""
    decoder, joined = _list_decoder(python_type), b"[" + b",".join(texts) + b"]"
    try:
        return pa.array(decoder.decode(joined), type_)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        decoder.decode(_readable(joined))
    if pa.types.is_list(type_):
        lists = pa.array([_unquoted_list(bytes(text)) for text in texts], pa.list_(pa.binary()))
        return with_elements(lists, lists.flatten().view(pa.string()))
    raw = [None if bytes(text) == b"null" else unquote(bytes(text)) for text in texts]
    return pa.array(raw, pa.binary()).view(pa.string())


def _unquoted_list(text: bytes) -> list[bytes | None] | None:
    """The texts of a raw JSON list of strings, each as `unquote` gives it; None of `null`."""
    items: list[str | None] | None = json.loads(text.decode(errors="surrogateescape"))
    if items is None:
        return None
    return [None if item is None else unquote(json.dumps(item).encode()) for item in items]


def _readable(text: bytes) -> str:
    """JSON text with U+FFFD in place of all that is no character."""
    return mend_surrogates(text).decode(errors="replace")


@cache
def _list_decoder(python_type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(list[python_type | None])


def _bad_value(texts: list[Any], python_type: Any, name: str, block: Block) -> Terminal:
    decoder = msgspec.json.Decoder(python_type | None)
    for (number, _), text in zip(block.lines(), texts, strict=False):
        try:
            decoder.decode(_readable(bytes(text)))
        except msgspec.ValidationError as error:
            return Terminal(
                f"{block.where}, line {number}: {name!r} is {_readable(bytes(text))[:80]}: "
                f"{error}.",
                remedy="Write the file again with values of that type.",
            )
    raise AssertionError("a column of good values did not decode")


def _timestamps(text: pa.Array, name: str, where: str) -> pa.Array:
    """ISO 8601 with a zone, or without one in UTC."""
    zoned = pc.if_else(
        pc.match_substring_regex(text, _HAS_ZONE), text, pc.binary_join_element_wise(text, "Z", "")
    )
    try:
        return zoned.cast(TIMESTAMP)
    except pa.ArrowInvalid as error:
        raise Terminal(
            f"{where}: {name!r} holds a value that is not a time: {error}.",
            remedy="Write times in ISO 8601, such as 2026-11-01T09:30:00.123456Z.",
        ) from error


def _dates(text: pa.Array, name: str, where: str) -> pa.Array:
    try:
        return text.cast(pa.date32())
    except pa.ArrowInvalid as error:
        raise Terminal(
            f"{where}: {name!r} holds a value that is not a day: {error}.",
            remedy="Write days in ISO 8601, such as 2026-11-01.",
        ) from error


def _with_derived(batch: pa.RecordBatch, selection: Selection, where: str) -> pa.RecordBatch:
    """The batch with columns of the model derived in the lines that lack them."""
    for column in selection.columns:
        if column.member_of:
            index = batch.schema.get_field_index(column.source_name)
            values = pc.coalesce(batch.column(index), derived(batch, column, where))
            batch = batch.set_column(index, column.source_name, values)
    return batch
