"""Text, held against what Python's own strings and decoder say, value by value."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.transform.text import mend_nul, mend_utf8, too_long

TEXTS = st.lists(st.text(st.sampled_from("aé😀\0"), max_size=6) | st.none())
OFFSETS = st.integers(0, 2)


def column(values: list[bytes | None], offset: int) -> pa.Array:
    """A slice, as batches may be, of a column whose other values are bad in all ways."""
    return pa.array([b"\0\xff" * 9] * offset + values, pa.binary()).view(pa.string())[offset:]


@given(st.lists(st.binary(max_size=6) | st.none()), OFFSETS)
def test_bytes_that_are_no_text_are_replaced(values: list[bytes | None], offset: int) -> None:
    mended, positions = mend_utf8(column(values, offset))
    decoded = [None if v is None else v.decode(errors="replace") for v in values]
    assert mended.to_pylist() == decoded
    encoded = [None if text is None else text.encode() for text in decoded]
    assert positions == [at for at, value in enumerate(values) if value != encoded[at]]


@given(TEXTS, OFFSETS)
def test_nul_is_replaced(texts: list[str | None], offset: int) -> None:
    values = [None if text is None else text.encode() for text in texts]
    mended, positions = mend_nul(column(values, offset))
    assert mended.to_pylist() == [text and text.replace("\0", "\ufffd") for text in texts]
    assert positions == [at for at, text in enumerate(texts) if text and "\0" in text]


@given(TEXTS, OFFSETS, st.integers(0, 5))
def test_characters_are_counted(texts: list[str | None], offset: int, most: int) -> None:
    values = [None if text is None else text.encode() for text in texts]
    long = [(at, len(text)) for at, text in enumerate(texts) if text and len(text) > most]
    assert too_long(column(values, offset), most) == long
