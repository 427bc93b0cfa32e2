"""Columns of text: what is no text is mended, what has too many characters is found."""

from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.json_text import positions_failing, positions_mask


def mend_utf8(values: pa.Array) -> tuple[pa.Array, list[int]]:
    """Text with U+FFFD in the place of bytes that are not UTF-8, and the positions mended."""
    bad = positions_failing(len(values), partial(_is_utf8, values))
    if not bad:
        return values, []
    mended = [values.cast(pa.binary())[p].as_py().decode(errors="replace") for p in bad]
    mask = positions_mask(bad, len(values))
    return pc.replace_with_mask(values, mask, pa.array(mended, pa.string())), bad


def _is_utf8(values: pa.Array, start: int, stop: int) -> bool:
    try:
        values.slice(start, stop - start).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def mend_nul(values: pa.Array) -> tuple[pa.Array, list[int]]:
    """Text with U+FFFD in the place of U+0000, and the positions mended."""
    if not _has_byte_0(values):
        return values, []
    bad = pc.indices_nonzero(pc.match_substring(values, "\0")).to_pylist()
    return pc.replace_substring(values, "\0", "\ufffd"), bad


def _has_byte_0(values: pa.Array) -> bool:
    """Whether the bytes of all values have it, at the speed of memory."""
    _, offsets, data = values.buffers()
    if not len(values) or data is None:
        return False
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    octets = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return bool(octets.size and octets.min() == 0)


def too_long(values: pa.Array, characters: int) -> list[tuple[int, int]]:
    """Positions of text with more characters than so many, each with its number of them."""
    # No text has more characters than bytes.
    if (pc.max(pc.binary_length(values)).as_py() or 0) <= characters:
        return []
    lengths = pc.utf8_length(values)
    long = pc.indices_nonzero(pc.greater(lengths, characters))
    return list(zip(long.to_pylist(), lengths.take(long).to_pylist(), strict=True))
