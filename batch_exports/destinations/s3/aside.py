"""Originals of rejected and replaced rows, beside the data they were parted from."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from batch_exports.destinations.s3.upload import ObjectUpload, Uploads
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.clean import aside_schema, clean
from batch_exports.transform.sink import arrow_file


class Aside:
    """Passes clean batches on, and keeps what was parted from them.

    The originals go into an Arrow IPC file, which holds bytes of any kind and is no Parquet or
    JSON lines file that a reader of the data might take for one. It is opened with the first.
    """

    def __init__(
        self,
        uploads: Uploads,
        key: str,
        schema: pa.Schema,
        row_key: Sequence[str],
        capabilities: Capabilities,
        policy: OnUnrepresentable,
    ) -> None:
        self.rejected = 0
        self.replaced = 0
        self.kept = 0
        self.upload: ObjectUpload | None = None
        self._uploads = uploads
        self._key = key
        self._schema = aside_schema(schema)
        self._row_key = row_key
        self._capabilities = capabilities
        self._policy = policy
        self._writer: pa.ipc.RecordBatchFileWriter | None = None

    def clean(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            cleaned = clean(batch, self._capabilities, self._policy, self._row_key)
            self.rejected += cleaned.rejected
            self.replaced += cleaned.replaced
            if cleaned.aside is not None:
                self._keep(cleaned.aside)
            if cleaned.batch.num_rows:
                yield cleaned.batch

    def seal(self) -> None:
        if self._writer is not None and self.upload is not None:
            self._writer.close()
            self.upload.seal(last=False)

    def _keep(self, originals: pa.RecordBatch) -> None:
        if self._writer is None:
            self.upload = self._uploads.open(self._key)
            self._writer = pa.ipc.new_file(arrow_file(self.upload), self._schema)
        self._writer.write_batch(originals)
        self.kept += originals.num_rows
