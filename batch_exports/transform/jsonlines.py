"""Record batches as JSON lines, built column by column from whole Arrow buffers."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.models import JSON
from batch_exports.transform.block import Block, bounds, sliced
from batch_exports.transform.compression import COMPRESSORS, Compressor
from batch_exports.transform.json_text import contents
from batch_exports.transform.lists import with_elements
from batch_exports.transform.sink import Sink

BLOCK_BYTES = 16 * 2**20

# The forms that RFC 8259 §7 gives short; the rest of the control characters take \u00XX.
_SHORT = {"\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_CONTROL = [chr(code) for code in range(0x20)]
_MUST_ESCAPE = r'["\\\x00-\x1f]'
_AS_ARROW_WRITES_IT = (
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_floating,
    pa.types.is_decimal,
)


class JsonLinesFormat:
    """JSON lines, compressed as one stream a file."""

    def __init__(
        self,
        compression: str,
        *,
        membership: str | None = None,
        max_block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._compression = compression
        self._membership = membership
        self._max_bytes = min(max_block_bytes, BLOCK_BYTES)

    def blocks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Block[pa.Buffer]]:
        for batch in batches:
            for piece in sliced(batch, self._max_bytes):
                first, last = bounds(piece, self._membership)
                yield Block(piece.num_rows, encode_lines(piece), first, last)

    def writer(self, sink: Sink) -> Compressor:
        return COMPRESSORS[self._compression](sink)


def encode_lines(batch: pa.RecordBatch) -> pa.Buffer:
    """One line a row: `{"column":value,...}` with every column, in the batch's order.

    JSON columns are spliced in as they are (they must hold JSON, see `clean`), so their numbers
    keep all digits and their objects the order of keys. Timestamps are ISO 8601 in UTC with
    microseconds, and dates ISO 8601. Floats have the fewest digits that give the same float again;
    they must be finite (see `clean`), since JSON has no others. Decimals have all their places.
    NULL is `null`. The result's size is bounded by the batch's: below 2 GiB.
    """
    if batch.num_rows == 0:
        return pa.py_buffer(b"")
    pieces: list[Any] = []
    for index, (field, values) in enumerate(zip(batch.schema, batch.columns, strict=True)):
        pieces.append(f"{',' if index else '{'}{json.dumps(field.name)}:")
        pieces.append(values_as_json(field.type, values))
    lines = pc.binary_join_element_wise(*pieces, "}\n", "")
    return contents(lines)


def values_as_json(type_: pa.DataType, values: pa.Array) -> pa.Array:
    """The JSON text of each value of a column, as `encode_lines` writes it; NULL is `null`."""
    if type_.equals(JSON):
        return pc.fill_null(_on_one_line(values.storage), "null")
    if pa.types.is_string(type_):
        return pc.fill_null(_quoted(_escaped(values)), "null")
    if pa.types.is_timestamp(type_):
        # Without a zone the instants are the same, and Arrow writes them forty times as fast.
        text = values.cast(pa.timestamp("us")).cast(pa.string())
        iso = pc.binary_replace_slice(text, 10, 11, "T")
        return pc.fill_null(pc.binary_join_element_wise('"', iso, 'Z"', ""), "null")
    if pa.types.is_date32(type_):
        return pc.fill_null(_quoted(values.cast(pa.string())), "null")
    if pa.types.is_list(type_):
        elements = values_as_json(type_.value_type, values.flatten())
        joined = pc.binary_join(with_elements(values, elements), ",")
        return pc.fill_null(pc.binary_join_element_wise("[", joined, "]", ""), "null")
    if any(known(type_) for known in _AS_ARROW_WRITES_IT):
        return pc.fill_null(values.cast(pa.string()), "null")
    raise TypeError(f"JSON lines cannot be written from the Arrow type {type_}.")


def _quoted(text: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', text, '"', "")


def _escaped(text: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring_regex(text, _MUST_ESCAPE)).as_py():
        return text
    text = pc.replace_substring(text, "\\", r"\\")
    text = pc.replace_substring(text, '"', r"\"")
    if pc.any(pc.match_substring_regex(text, r"[\x00-\x1f]")).as_py():
        for character in _CONTROL:
            escape = _SHORT.get(character, f"\\u{ord(character):04x}")
            text = pc.replace_substring(text, character, escape)
    return text


def _on_one_line(values: pa.Array) -> pa.Array:
    """JSON without raw line ends. In valid JSON they stand only between tokens, as white space."""
    if not _has_control_characters(values):
        return values
    return pc.replace_substring(pc.replace_substring(values, "\n", " "), "\r", " ")


def _has_control_characters(values: pa.Array) -> bool:
    """Whether the text, or what lies about it in its buffer, has bytes below 0x20.

    The least byte of a buffer is found at the speed of memory, unlike a substring of each value.
    """
    data = values.buffers()[2]
    if data is None or data.size == 0:
        return False
    octets = pa.Array.from_buffers(pa.uint8(), data.size, [None, data])
    return bool(pc.min(octets).as_py() < 0x20)
