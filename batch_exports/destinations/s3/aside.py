"""Originals of rejected and replaced rows, beside the data they were parted from."""

import pyarrow as pa

from batch_exports.destinations.s3.upload import ObjectUpload, Uploads
from batch_exports.transform.clean import aside_schema
from batch_exports.transform.sink import arrow_file


class Aside:
    """Keeps originals in an Arrow IPC file, which is opened with the first.

    Such a file holds bytes of any kind, and is no Parquet or JSON lines file that a reader of the
    data might take for one.
    """

    def __init__(self, uploads: Uploads, key: str, schema: pa.Schema) -> None:
        self.kept = 0
        self.upload: ObjectUpload | None = None
        self._uploads = uploads
        self._key = key
        self._schema = aside_schema(schema)
        self._writer: pa.ipc.RecordBatchFileWriter | None = None

    def keep(self, originals: pa.RecordBatch) -> None:
        if self._writer is None:
            self.upload = self._uploads.open(self._key)
            self._writer = pa.ipc.new_file(arrow_file(self.upload), self._schema)
        self._writer.write_batch(originals)
        self.kept += originals.num_rows

    def seal(self) -> None:
        if self._writer is not None and self.upload is not None:
            self._writer.close()
            self.upload.seal(last=False)
