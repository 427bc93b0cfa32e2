"""Text for VARCHAR and CHAR columns, whose length counts bytes.

https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
"""

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.local.redshift.converted import Converted, Fault, faults_where
from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.target import TargetColumn
from batch_exports.transform.json_text import longer_than, positions_mask, raw_array
from batch_exports.transform.text import mend_nul, mend_utf8

BAD_UTF8 = "String contains invalid or unsupported UTF8 codepoints."
TOO_LONG = "String length exceeds DDL length"


def fit_text(values: pa.Array, column: TargetColumn, copy: Copy) -> Converted:
    """Strings, which may hold bytes that are not UTF-8, as the column takes them."""
    values, faults = _only_utf8(values, copy.replacement)
    values = _nulls(values, copy)
    values, with_nul = mend_nul(values)
    faults += [Fault(p, 1220, f"{BAD_UTF8} Bad UTF8 hex sequence: 00") for p in with_nul]
    if column.type == "char":
        # https://docs.aws.amazon.com/redshift/latest/dg/multi-byte-character-load-errors.html
        multibyte = pc.not_equal(pc.binary_length(values), pc.utf8_length(values))
        faults += faults_where(multibyte, 1215, "Multibyte character not supported for CHAR")
    long = longer_than(values, column.bytes)
    if copy.truncate and long:
        cut = [_cut(values[p].as_py(), column.bytes) for p in long]
        values = pc.replace_with_mask(values, positions_mask(long, len(values)), raw_array(cut))
    else:
        faults += [Fault(position, 1204, TOO_LONG) for position in long]
    return Converted(values, faults)


def _only_utf8(values: pa.Array, replacement: str | None) -> tuple[pa.Array, list[Fault]]:
    mended, bad = mend_utf8(values)
    if not bad:
        return values, []
    if replacement is None:
        return mended, [Fault(p, 1220, BAD_UTF8) for p in bad]
    octets = values.cast(pa.binary())
    replaced = [_replaced(octets[p].as_py(), replacement) for p in bad]
    mask = positions_mask(bad, len(values))
    return pc.replace_with_mask(values, mask, raw_array(replaced)), []


def _replaced(text: bytes, replacement: str) -> bytes:
    """The text with a replacement for each byte that belongs to no character."""
    escaped = text.decode(errors="surrogateescape")
    return "".join(replacement if "\udc80" <= c <= "\udcff" else c for c in escaped).encode()


def _nulls(values: pa.Array, copy: Copy) -> pa.Array:
    if copy.empty_as_null:
        values = pc.if_else(pc.equal(values, ""), None, values)
    if copy.blanks_as_null:
        values = pc.if_else(pc.match_substring_regex(values, r"^\s+$"), None, values)
    return values


def _cut(text: str, size: int) -> bytes:
    return text.encode()[:size].decode(errors="ignore").encode()
