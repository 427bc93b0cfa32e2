"""Files of JSON: objects, one after the other, whose members become columns.

https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.local.redshift.converted import Converted, Fault
from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.internal_errors import internal_error
from batch_exports.local.redshift.number_columns import numbers_of
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.rows import (
    LoadError,
    Rows,
    fitting_rows,
    load_error,
    with_nulls_checked,
)
from batch_exports.local.redshift.super_columns import fit_documents
from batch_exports.local.redshift.target import TargetColumn
from batch_exports.local.redshift.text_columns import fit_text
from batch_exports.local.redshift.time_columns import dates_of, times_of
from batch_exports.transform.json_text import plain_text, raw_array

LONGEST_OBJECT = 4 * 2**20
"""Bytes of an object before it is shredded:
https://docs.aws.amazon.com/redshift/latest/dg/ingest-super.html#copy_json-from-JSON"""

_BLOCK_BYTES = 4 * 2**20
_NOT_JSON = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
_BLANK = re.compile(r"[ \t\r\n]*")
_NOT_AN_OBJECT = "Invalid JSONPath format: Member is not an object."
_TOO_LARGE = f"JSON object exceeds the limit of {LONGEST_OBJECT} bytes"


@dataclass(frozen=True)
class _Objects:
    """Objects cut from a file: the raw texts of the wanted members, and the lines they begin on."""

    members: list[list[Any]]
    lines: Callable[[], list[int]]
    errors: list[LoadError]


def read_json(
    content: bytes, uri: str, copy: Copy, columns: Sequence[TargetColumn], large_strings: bool
) -> Iterator[Rows]:
    """The rows of a file. Raises Refusal where it is not compressed as the statement says, or a
    column cannot be loaded from JSON at all."""
    for column in columns:
        if column.type == "varbyte":
            # https://docs.aws.amazon.com/redshift/latest/dg/copy-usage-varbyte.html
            raise Refusal("0A000", f"COPY from JSON cannot load the VARBYTE column {column.name}")
    if copy.json == "noshred" and [column.type for column in columns] != ["super"]:
        raise Refusal("0A000", "COPY with 'noshred' needs a table with a single SUPER column")
    shred = _shredder(copy, columns)
    for objects in _cut(_decompressed(content, copy.compression, uri), shred, uri):
        raw = [raw_array(texts) for texts in objects.members]
        converted = [
            with_nulls_checked(_converted(texts, column, copy, large_strings), column)
            for texts, column in zip(raw, columns, strict=True)
        ]
        rows = fitting_rows(columns, converted, _error_of(columns, raw, objects, uri))
        yield Rows(rows.batch, sorted(objects.errors + rows.errors, key=attrgetter("line")))


def _error_of(
    columns: Sequence[TargetColumn], raw: list[pa.Array], objects: _Objects, uri: str
) -> Callable[[int, Fault], LoadError]:
    def error_of(index: int, fault: Fault) -> LoadError:
        value = raw[index].cast(pa.binary())[fault.position].as_py().decode(errors="replace")
        return load_error(fault, columns[index], value, uri, objects.lines()[fault.position])

    return error_of


def _converted(raw: pa.Array, column: TargetColumn, copy: Copy, large_strings: bool) -> Converted:
    raw = pc.if_else(pc.equal(raw, "null"), None, raw)
    if column.type == "super":
        return fit_documents(raw, large_strings)
    text = plain_text(raw)
    if column.type in ("varchar", "char"):
        return fit_text(text, column, copy)
    text = fit_text(text, TargetColumn(column.name, "varchar"), copy)
    if column.type in ("timestamp", "timestamptz"):
        converted = times_of(text.values, column.type, copy.time_format)
    elif column.type == "date":
        converted = dates_of(text.values, copy.date_format)
    else:
        converted = numbers_of(text.values, column)
    return Converted(converted.values, text.faults + converted.faults)


def _decompressed(content: bytes, compression: str | None, uri: str) -> Iterator[bytes]:
    """The file in blocks of whole lines."""
    source = pa.BufferReader(content)
    stream = pa.CompressedInputStream(source, compression) if compression else source
    rest = b""
    try:
        while data := stream.read(_BLOCK_BYTES):
            head, newline, tail = data.rpartition(b"\n")
            if newline:
                yield rest + head + newline
                rest = tail
            else:
                rest += tail
    except OSError as error:
        context = f"File name: {uri}"
        raise internal_error(f"The file is not in {compression} format.", 8001, context) from error
    if rest:
        yield rest


class _Shredder:
    """Cuts objects into the raw texts of columns' members, `null` where there is none."""

    def __init__(self, names: list[str]) -> None:
        fields = [
            (f"c{index}", msgspec.Raw, msgspec.field(default=msgspec.Raw(b"null"), name=name))
            for index, name in enumerate(names)
        ]
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Row", fields))
        self._fields = [attrgetter(f"c{index}") for index in range(len(names))]

    def many(self, text: bytes) -> list[list[Any]]:
        rows = self._decoder.decode_lines(text)
        return [list(map(field, rows)) for field in self._fields]


class _FoldingShredder:
    """The same for members whose names differ in case from the columns'."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def many(self, text: bytes) -> list[list[Any]]:
        rows = [
            {name.lower(): value for name, value in row.items()}
            for row in self._decoder.decode_lines(text)
        ]
        return [[row.get(name, b"null") for row in rows] for name in self._names]


class _WholeObjects:
    """Objects as they are, for one column."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(msgspec.Raw)

    def many(self, text: bytes) -> list[list[Any]]:
        return [self._decoder.decode_lines(text)]


def _shredder(copy: Copy, columns: Sequence[TargetColumn]) -> Callable[[bytes], list[list[Any]]]:
    names = [column.name for column in columns]
    if copy.json == "noshred":
        return _WholeObjects().many
    if copy.json == "auto ignorecase":
        return _FoldingShredder(names).many
    return _Shredder(names).many


def _cut(
    blocks: Iterator[bytes], shred: Callable[[bytes], list[list[Any]]], uri: str
) -> Iterator[_Objects]:
    line = 1
    for block in blocks:
        if _has_only_short_lines(block):
            try:
                members = shred(block)
            except _NOT_JSON:
                pass
            else:
                yield _Objects(members, _numbering(block, line, len(members[0])), [])
                line += block.count(b"\n")
                continue
        # An object may be bad, or go on in the next block: the rest is walked one by one.
        rest = block + b"".join(blocks)
        yield from _walked(rest, line, shred, uri)


def _has_only_short_lines(block: bytes) -> bool:
    return len(block) <= LONGEST_OBJECT or max(map(len, block.split(b"\n"))) <= LONGEST_OBJECT


def _numbering(block: bytes, first: int, objects: int) -> Callable[[], list[int]]:
    """The lines on which objects begin, counted only where an error asks."""

    def lines() -> list[int]:
        numbered = enumerate(block.split(b"\n"), start=first)
        numbers = [number for number, text in numbered if text.strip()]
        if len(numbers) == objects:
            return numbers
        return [number for number, *_ in _one_by_one(block, first)]

    return lines


def _walked(
    text: bytes, line: int, shred: Callable[[bytes], list[list[Any]]], uri: str
) -> Iterator[_Objects]:
    lines: list[int] = []
    objects: list[bytes] = []
    errors: list[LoadError] = []
    size = 0
    for number, raw, code, reason in _one_by_one(text, line):
        fault = Fault(0, code, reason) if reason else _fault_of(raw, shred)
        if fault:
            errors.append(load_error(fault, None, raw.decode(errors="replace"), uri, number))
        else:
            lines.append(number)
            objects.append(raw)
            size += len(raw)
        if size > _BLOCK_BYTES:
            yield _gathered(objects, lines, errors, shred)
            lines, objects, errors, size = [], [], [], 0
    yield _gathered(objects, lines, errors, shred)


def _gathered(
    objects: list[bytes],
    lines: list[int],
    errors: list[LoadError],
    shred: Callable[[bytes], list[list[Any]]],
) -> _Objects:
    return _Objects(shred(b"\n".join(objects)), lambda: lines, errors)


def _fault_of(raw: bytes, shred: Callable[[bytes], list[list[Any]]]) -> Fault | None:
    if len(raw) > LONGEST_OBJECT:
        return Fault(0, 1224, _TOO_LARGE)
    try:
        shred(raw)
    except _NOT_JSON as error:
        return Fault(0, 1224, f"Invalid JSON: {error}")
    return None


def _one_by_one(text: bytes, line: int) -> Iterator[tuple[int, bytes, int, str]]:
    """Each value with its line; what is none ends with its line, and has a code and a reason."""
    decoded = text.decode(errors="surrogateescape")
    decode = json.JSONDecoder().raw_decode
    position = 0
    while True:
        start = _BLANK.match(decoded, position).end()  # type: ignore[union-attr]
        line += decoded.count("\n", position, start)
        position = start
        if position == len(decoded):
            return
        code, reason = 0, ""
        try:
            value, end = decode(decoded, position)
            if not isinstance(value, dict):
                code, reason = 1216, _NOT_AN_OBJECT
        except (ValueError, RecursionError) as error:
            code, reason = 1224, f"Invalid JSON: {error}"
            end = decoded.find("\n", position)
            end = len(decoded) if end < 0 else end
        yield line, decoded[position:end].encode(errors="surrogateescape"), code, reason
        line += decoded.count("\n", position, end)
        position = end
