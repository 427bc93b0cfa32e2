"""Rows on their way to a destination, without those that it cannot hold."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.clean import clean


@dataclass
class Sift:
    """Passes clean batches on, and hands the originals of changed and rejected rows to `keep`.

    `key` are the columns by which an error names a row. `rejected` and `replaced` count rows.
    """

    capabilities: Capabilities
    policy: OnUnrepresentable
    key: Sequence[str]
    keep: Callable[[pa.RecordBatch], None]
    rejected: int = field(default=0, init=False)
    replaced: int = field(default=0, init=False)

    def clean(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            cleaned = clean(batch, self.capabilities, self.policy, self.key)
            self.rejected += cleaned.rejected
            self.replaced += cleaned.replaced
            if cleaned.aside is not None:
                self.keep(cleaned.aside)
            if cleaned.batch.num_rows:
                yield cleaned.batch
