"""Lists of text as JSON arrays (RFC 8259), all at once."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.lists import with_elements

# The backslash comes first, since the others bring it in.
_ESCAPES = {"\\": "\\\\", '"': '\\"'}
_CONTROLS = {chr(code): f"\\u{code:04x}" for code in range(0x20)}
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}

GROWTH = 6
"""The most bytes that one byte of text becomes: those of an escaped control character."""


def json_arrays(lists: pa.Array) -> pa.Array:
    """The JSON text of each list of text. A NULL list stays NULL, a NULL in a list becomes null.

    Characters are escaped only where JSON asks for it: quotes, backslashes, control characters.
    """
    quoted = pc.binary_join_element_wise('"', _escaped(lists.flatten()), '"', "")
    joined = pc.binary_join(with_elements(lists, pc.fill_null(quoted, "null")), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


def _escaped(texts: pa.Array) -> pa.Array:
    for character, escape in _ESCAPES.items():
        texts = pc.replace_substring(texts, character, escape)
    for character in sorted(_controls(texts)):
        escape = _SHORT.get(character) or _CONTROLS[character]
        texts = pc.replace_substring(texts, character, escape)
    return texts


def _controls(texts: pa.Array) -> set[str]:
    """The control characters among the texts, which mostly have none."""
    _, _, data = texts.buffers()
    octets = np.frombuffer(data or b"", np.uint8)
    return {chr(code) for code in np.unique(octets[octets < 0x20])}
