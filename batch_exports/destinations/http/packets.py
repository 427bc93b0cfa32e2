"""Calls on their way: as many in one body as the API takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batch_exports.destinations.http.forms import Form

# Larger bodies are no faster, and several are in memory at a time.
_MOST_BODY_BYTES = 4_000_000


@dataclass(frozen=True)
class Packet:
    """Rows and their calls, which make one body. `ends[i]` is where call `i` begins in `text`, and
    `ends[i + 1]` where it ends, with the comma behind it."""

    rows: pa.RecordBatch
    text: pa.Buffer
    ends: npt.NDArray[np.int64]

    def body(self, envelope: tuple[bytes, bytes], first: int, last: int) -> bytes:
        """The body of the calls from `first` to before `last`."""
        opening, closing = envelope
        calls = self.text[int(self.ends[first]) : int(self.ends[last]) - 1]
        return b"".join((opening, memoryview(calls), closing))


def packets(
    rows: pa.RecordBatch, calls: pa.Array, form: Form, envelope: tuple[bytes, bytes]
) -> Iterator[Packet]:
    """Cut the rows where a body is full; `calls` are theirs, with a comma behind each."""
    ends, text = spans(calls)
    room = min(form.body_bytes.most, _MOST_BODY_BYTES) - sum(map(len, envelope))
    most = form.calls.most if form.calls else len(calls)
    first = 0
    while first < len(calls):
        full = int(np.searchsorted(ends, ends[first] + room + 1, side="right")) - 1
        last = max(first + 1, min(full, first + most))
        yield Packet(rows.slice(first, last - first), text, ends[first : last + 1])
        first = last


def spans(calls: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Buffer]:
    """Where each call begins in the text of all, and the last one ends."""
    _, offsets, text = calls.buffers()
    ends = np.frombuffer(offsets, np.int32)[calls.offset : calls.offset + len(calls) + 1]
    return ends.astype(np.int64), text


def gathered(batches: Iterable[pa.RecordBatch], least_bytes: int) -> Iterator[pa.RecordBatch]:
    """The rows in batches of about so many bytes or more: small ones would make small bodies."""
    waiting, size = list[pa.RecordBatch](), 0
    for batch in batches:
        waiting.append(batch)
        size += batch.nbytes
        if size >= least_bytes:
            yield pa.concat_batches(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_batches(waiting)
