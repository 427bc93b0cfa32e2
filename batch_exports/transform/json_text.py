"""Whole columns of JSON text: prove that it is JSON, take members out of it, unquote strings.

A column is joined into lines and handed to msgspec in a single call, which walks them in C and
slices the raw text of each element; nothing is re-encoded, so numbers keep all their digits and
objects their key order.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_RAW = msgspec.json.Decoder(msgspec.Raw)
_STRING = msgspec.json.Decoder(str)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOT_JSON = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

# Escapes in reading order, so that an escaped backslash is never taken for the start of another:
# a whole surrogate pair, a surrogate alone, any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<alone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# Lone surrogates other than those by which `surrogateescape` carries a byte.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
# Names that a msgspec struct can have; members of other names take a slower way.
_STRUCT_NAME = re.compile(r'[^"\\\x00-\x1f]*')


# Rows tested at once: what is joined for it stays in the processor's cache, and a value that fails
# has few neighbours tested again.
_SPAN = 1024


@dataclass(frozen=True)
class Repaired:
    """A column of JSON text after `repair`: positions say where it changed, and where it is bad."""

    values: pa.Array
    replaced: list[int]
    invalid: list[int]


def repair(values: pa.Array) -> Repaired:
    """Prove that each value is one JSON value (RFC 8259), with lone surrogates replaced.

    A lone surrogate escape stands for no character, and strict readers refuse the whole document:
    it becomes `\\ufffd`. NULLs are valid. What is then still not JSON, or is nested beyond
    Python's recursion limit, is named in `invalid` and left as it is.
    """
    suspects = positions_failing(len(values), partial(_all_valid, pc.fill_null(values, "null")))
    if not suspects:
        return Repaired(values, [], [])
    texts = {
        position: mend_surrogates(values[position].as_buffer().to_pybytes())
        for position in suspects
    }
    candidates = raw_array(list(texts.values()))
    still_bad = positions_failing(len(candidates), partial(_all_valid, candidates))
    invalid = [suspects[position] for position in still_bad]
    replaced = [position for position in suspects if position not in set(invalid)]
    mended = raw_array([texts[position] for position in replaced])
    return Repaired(
        pc.replace_with_mask(values, positions_mask(replaced, len(values)), mended)
        if replaced
        else values,
        replaced,
        invalid,
    )


def is_too_deep(text: bytes) -> bool:
    """Whether text is nested too deep to tell whether it is JSON: about as deep as Python's
    recursion limit."""
    try:
        _RAW.decode(mend_surrogates(text))
    except RecursionError:
        return True
    except _NOT_JSON:
        pass
    return False


def longer_than(values: pa.Array, size: int) -> list[int]:
    """The positions of text of more than so many bytes."""
    lengths = pc.binary_length(values)
    positions: list[int] = pc.indices_nonzero(pc.greater(lengths, size)).to_pylist()
    return positions


def positions_failing(length: int, passes: Callable[[int, int], bool]) -> list[int]:
    """The positions that fail a test of whole spans `(start, stop)`, found by halving spans."""
    failing: list[int] = []
    spans = [(start, min(start + _SPAN, length)) for start in range(0, length, _SPAN)]
    while spans:
        start, stop = spans.pop()
        if start == stop or passes(start, stop):
            continue
        if stop - start == 1:
            failing.append(start)
        else:
            middle = (start + stop) // 2
            spans += [(start, middle), (middle, stop)]
    return sorted(failing)


def _all_valid(values: pa.Array, start: int, stop: int) -> bool:
    span = values.slice(start, stop - start)
    return _are_elements(span, _as_lines(span))


def _are_elements(values: pa.Array, joined: pa.Buffer) -> bool:
    """Whether each value is JSON, which as many elements of just the values' lengths prove.

    An element neither begins nor ends with white space. So the last one, of the last value's
    length, begins no later than that value; the one before it therefore ends no later than its
    own value, and begins no later; and so on to the first, which begins where the text does. From
    there on, each ends where its value ends, and the next begins where the next value does.
    """
    try:
        elements = _RAW.decode_lines(joined)
    except _NOT_JSON:
        return False
    if len(elements) != len(values):
        return False
    return len(values) == 1 or bool(_lengths(elements).equals(pc.binary_length(values)))


def mend_surrogates(text: bytes) -> bytes:
    """JSON text of the same length with lone surrogate escapes replaced by `\\ufffd`."""
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape["alone"] else escape[0], text)


def member(values: pa.Array, name: str) -> pa.Array:
    """The raw JSON text of a member of each object; NULL where there is none, or it is null.

    Values that are not objects, or not JSON, have no members.
    """
    objects = _objects_only(values)
    joined = _as_lines(objects)
    if not _are_elements(objects, joined):
        repaired = repair(objects)
        invalid = positions_mask(repaired.invalid, len(objects))
        joined = _as_lines(pc.if_else(invalid, "{}", repaired.values))
    texts = _cut(joined, name)
    return pc.if_else(pc.is_in(texts, value_set=pa.array(["", "null"])), None, texts)


def _cut(joined: pa.Buffer, name: str) -> pa.Array:
    if _STRUCT_NAME.fullmatch(name):
        return raw_array(list(map(attrgetter("value"), _member_decoder(name).decode_lines(joined))))
    return raw_array([members.get(name, b"") for members in _MEMBERS.decode_lines(joined)])


def plain_text(raw: pa.Array) -> pa.Array:
    """What a person reads of raw JSON values: strings without quotes and escapes, others as is.

    Bytes that are not UTF-8 stay, for `clean` to find.
    """
    is_string = pc.fill_null(pc.starts_with(raw, '"'), False)
    if not pc.any(is_string).as_py():
        return raw
    strings = raw.filter(is_string)
    if pc.any(pc.match_substring(strings, "\\")).as_py():
        unquoted = _unquoted(strings)
    else:
        unquoted = pc.binary_slice(strings.cast(pa.binary()), 1, -1).view(pa.string())
    return pc.replace_with_mask(raw, is_string, unquoted)


def _unquoted(strings: pa.Array) -> pa.Array:
    try:
        return pa.array(_STRING.decode_lines(_as_lines(strings)), pa.string())
    except UnicodeDecodeError:
        return raw_array(list(map(unquote, strings.cast(pa.binary()).to_pylist())))


def unquote(text: bytes) -> bytes:
    """The text of one raw JSON string, whatever it holds.

    What is no character (bytes that are not UTF-8, lone surrogate escapes) stays, or becomes,
    bytes that are not UTF-8, for `clean` to find.
    """
    value: str = json.loads(text.decode(errors="surrogateescape"))
    return _NO_BYTE.sub("\udcff", value).encode(errors="surrogateescape")


def raw_array(texts: list[Any]) -> pa.Array:
    """Arrow strings of a list of UTF-8 buffers (`bytes`, `msgspec.Raw`), copied once."""
    lengths = _lengths(texts)
    offsets = pc.cumulative_sum(pa.concat_arrays([pa.array([0], pa.int32()), lengths]))
    buffers = [None, offsets.buffers()[1], pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def positions_mask(positions: list[int], length: int) -> pa.Array:
    """A boolean column that is true at the given positions."""
    numbers = pc.cumulative_sum(pa.repeat(1, length))
    return pc.is_in(numbers, value_set=pa.array([p + 1 for p in positions], pa.int64()))


def _lengths(texts: list[Any]) -> pa.Array:
    return pa.array(map(len, texts), pa.int32())


def _as_lines(values: pa.Array) -> pa.Buffer:
    return contents(pc.binary_join_element_wise(values, "\n", ""))


def contents(values: pa.Array) -> pa.Buffer:
    """The bytes of all values, one after the other, of an array that is no slice of another."""
    data = values.buffers()[2]
    return data.slice(0, pc.sum(pc.binary_length(values)).as_py() or 0)


def _objects_only(values: pa.Array) -> pa.Array:
    trimmed = pc.ascii_trim(values, " \t\n\r")
    return pc.if_else(pc.fill_null(pc.starts_with(trimmed, "{"), False), trimmed, "{}")


@cache
def _member_decoder(name: str) -> msgspec.json.Decoder[Any]:
    absent = msgspec.field(default=msgspec.Raw(b""), name=name)
    row = msgspec.defstruct("Row", [("value", msgspec.Raw, absent)])
    return msgspec.json.Decoder(row)
