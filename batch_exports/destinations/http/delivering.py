"""An interval's rows on their way: which are sent, skipped and rejected, each counted."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.destinations.http.forms import Form
from batch_exports.destinations.http.packets import Packet, gathered, packets
from batch_exports.destinations.http.refused import (
    Refusal,
    first_of_each,
    refused_rows,
    without,
)
from batch_exports.destinations.http.sending import Sent
from batch_exports.destinations.s3.aside import Aside
from batch_exports.destinations.sift import Sift
from batch_exports.errors import Terminal
from batch_exports.models.identifies import OPERATIONS
from batch_exports.transform.block import sliced
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports.transform.identify_calls import Job, identify_calls, unfit
from batch_exports.transform.message_ids import digest, message_ids

# What is held in memory is some of these, as rows and as calls.
_BATCH_BYTES = 4_000_000


@dataclass
class Tally:
    """Rows of a kind, and the digest of their message IDs."""

    rows: int = 0
    ids: int = 0

    def add(self, ids: pa.Array, *, times: int = 1) -> None:
        """Count the rows of these IDs; `times=-1` takes them away."""
        self.rows += times * len(ids)
        self.ids = (self.ids + times * digest(ids)) % 2**64

    def __str__(self) -> str:
        return f"{self.ids:016x}"


@dataclass
class Delivering:
    """The stages of one interval, in order: `packets`, then `account` for each that was sent.

    `operations` are sent. Deletes, for which there is no call, are skipped or rejected; others
    that are not sent are skipped. Under the policy `fail` of `sift`, any other row of which no
    call is taken raises `Terminal`.
    """

    form: Form
    job: Job
    envelope: tuple[bytes, bytes]
    operations: frozenset[str]
    skip_deletes: bool
    sift: Sift
    aside: Aside
    read: Tally = field(default_factory=Tally)
    acknowledged: Tally = field(default_factory=Tally)
    skipped: Tally = field(default_factory=Tally)
    rejected: Tally = field(default_factory=Tally)
    requests: int = 0
    body_bytes: int = 0

    def packets(self, batches: Iterable[pa.RecordBatch]) -> Generator[Packet, None, None]:
        """Rows as they are to be sent. What is not, is skipped or kept aside."""
        for gathering in gathered(batches, _BATCH_BYTES):
            for batch in sliced(gathering, _BATCH_BYTES):
                yield from self._packets(batch)

    def account(self, sent: Sent) -> None:
        rows = sent.packet.rows
        self._reject(rows, [(position, "", reason) for position, reason in sent.refused])
        taken = without(rows, (position for position, _ in sent.refused))
        self.acknowledged.add(taken.column("message_id"))
        self.requests += sent.requests
        self.body_bytes += sent.bytes

    def check(self) -> None:
        """Whether each row that was read is one of the three others."""
        parts = (self.acknowledged, self.rejected, self.skipped)
        assert self.read.rows == sum(part.rows for part in parts)
        assert self.read.ids == sum(part.ids for part in parts) % 2**64

    def _packets(self, batch: pa.RecordBatch) -> Iterator[Packet]:
        rows = self._clean(batch)
        rows = self._wanted(rows)
        rows = self._rejected(rows, unfit(rows, self.form.name))
        if rows.num_rows == 0:
            return
        calls = identify_calls(rows, self.form.name, self.job)
        fits = pc.less_equal(_sizes(calls), self.form.call_bytes.most)
        rows = self._rejected(rows, self._too_large(calls))
        yield from packets(rows, calls.filter(fits), self.form, self.envelope)

    def _clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        ids = message_ids(self.job.export, batch)
        self.read.add(ids)
        identified = batch.append_column("message_id", ids)
        clean = list(self.sift.clean([identified]))
        rows = clean[0] if clean else identified.slice(0, 0)
        self.rejected.add(ids)
        self.rejected.add(rows.column("message_id"), times=-1)
        return rows

    def _wanted(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        operation = rows.column("operation")
        left = {*OPERATIONS} - self.operations - (set() if self.skip_deletes else {"delete"})
        is_left = pc.is_in(operation, value_set=pa.array(sorted(left), pa.string()))
        self.skipped.add(rows.column("message_id").filter(is_left))
        rows = rows.filter(pc.invert(is_left))
        return self._rejected(rows, self._without_call(rows.column("operation")))

    def _without_call(self, operations: pa.Array) -> Iterator[Refusal]:
        sent = pa.array(sorted(self.operations), pa.string())
        for position in pc.indices_nonzero(pc.invert(pc.is_in(operations, sent))).to_pylist():
            told = operations[position].as_py()
            if told in OPERATIONS:
                yield position, "operation", f"is {told}, for which there is no call"
            else:
                yield position, "operation", f"is none of {', '.join(OPERATIONS)}"

    def _too_large(self, calls: pa.Array) -> Iterator[Refusal]:
        most = self.form.call_bytes.most
        sizes = _sizes(calls)
        for position in pc.indices_nonzero(pc.greater(sizes, most)).to_pylist():
            size = sizes[position].as_py()
            yield position, "traits", f"makes a call of {size} bytes, and {most} are allowed"

    def _rejected(self, rows: pa.RecordBatch, refusals: Iterable[Refusal]) -> pa.RecordBatch:
        """The rows without those refused, which are kept aside."""
        once = first_of_each(refusals)
        self._reject(rows, once)
        return without(rows, (position for position, _, _ in once)) if once else rows

    def _reject(self, rows: pa.RecordBatch, refusals: list[Refusal]) -> None:
        if not refusals:
            return
        self._fail_for(rows, refusals)
        self.aside.keep(refused_rows(rows, refusals))
        positions = pa.array([position for position, _, _ in refusals], pa.int64())
        self.rejected.add(rows.column("message_id").take(positions))

    def _fail_for(self, rows: pa.RecordBatch, refusals: list[Refusal]) -> None:
        if self.sift.policy is not OnUnrepresentable.FAIL:
            return
        for position, column, reason in refusals:
            if column != "operation":
                record = rows.column("record_id")[position]
                raise Terminal(
                    f"{column or 'The call'} of the row {record} {reason}.",
                    remedy="Correct it at the source, or set on_unrepresentable to reject.",
                )


def _sizes(calls: pa.Array) -> pa.Array:
    """Bytes of the calls, without the comma behind each."""
    return pc.subtract(pc.binary_length(calls), 1)
