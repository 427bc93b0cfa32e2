"""IDs by which a receiver knows a call that it had before, and a digest of which calls there were.

An ID is made of what no two rows of an export have in common, so that whoever has the keys of the
rows can tell the IDs of their calls.
"""

from hashlib import sha1
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NAMESPACE: UUID = uuid5(NAMESPACE_URL, "batch_exports/message_id")

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
# Where the digits stand in a UUID's text, between its dashes.
_PLACES = np.array([*range(8), *range(9, 13), *range(14, 18), *range(19, 23), *range(24, 36)])
_DASHES = np.array([8, 13, 18, 23])
_TEXT_BYTES = 36
_DIGEST_DIGITS = 16
# What a digit's character stands for.
_VALUES = np.zeros(256, np.uint8)
_VALUES[_HEX] = np.arange(16)


def message_ids(export: str, rows: pa.RecordBatch) -> pa.Array:
    """A UUID of version 5 (RFC 9562 §5.5) for each row, as text.

    Its name is `<export>/<data_interval_start>/<record_id>`, the start as
    `2026-11-01T00:00:00.000000Z`; of rows that lack one of the two, that part is empty. The bytes
    of `record_id` count as they are, text or not.
    """
    starts = iso(rows.column("data_interval_start")).cast(pa.binary())
    names = pc.binary_join_element_wise(
        f"{export}/".encode(),
        pc.fill_null(starts, b""),
        b"/",
        pc.fill_null(rows.column("record_id").cast(pa.binary()), b""),
        b"",
    )
    # Neither Arrow nor numpy has a hash that is the same for ever; this one takes a microsecond.
    space = NAMESPACE.bytes
    hashes = [sha1(space + name, usedforsecurity=False).digest() for name in names.to_pylist()]
    octets = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 20)[:, :16].copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x50
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    return _as_text(octets)


def digest(ids: pa.Array) -> int:
    """The sum of the first 64 bits of all UUIDs, modulo 2**64: the same in whatever order they
    come, another if one is missing or there twice. Digests of parts add up to that of the whole."""
    if not len(ids):
        return 0
    _, offsets, data = ids.buffers()
    ends = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    text = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(-1, _TEXT_BYTES)
    digits = _VALUES[text[:, _PLACES[:_DIGEST_DIGITS]]]
    octets = digits[:, 0::2] << 4 | digits[:, 1::2]
    return int(np.ascontiguousarray(octets).view(">u8").sum(dtype=np.uint64))


def iso(times: pa.Array) -> pa.Array:
    """Times as `2026-11-01T00:00:00.000000Z`. NULL stays NULL."""
    text = times.cast(pa.timestamp("us")).cast(pa.string())
    return pc.binary_join_element_wise(pc.binary_replace_slice(text, 10, 11, "T"), "Z", "")


def _as_text(octets: npt.NDArray[np.uint8]) -> pa.Array:
    text = np.empty((len(octets), _TEXT_BYTES), np.uint8)
    text[:, _PLACES[0::2]] = _HEX[octets >> 4]
    text[:, _PLACES[1::2]] = _HEX[octets & 0x0F]
    text[:, _DASHES] = ord("-")
    offsets = np.arange(len(octets) + 1, dtype=np.int32) * _TEXT_BYTES
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string(), len(octets), buffers)
