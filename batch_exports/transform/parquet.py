"""Record batches as Parquet, laid out so that readers who filter can skip data."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from batch_exports.models import JSON
from batch_exports.transform.block import Block, bounds, sliced
from batch_exports.transform.sink import Sink, arrow_file

# Speed falls and memory grows with larger groups; smaller ones compress worse.
ROW_GROUP_ROWS = 62_500
ROW_GROUP_BYTES = 24 * 2**20

# zstd 1 is faster than the default 3 and, on event data, its files are no larger.
LEVELS = {"zstd": 1, "gzip": 6, "brotli": 5}


class ParquetFormat:
    """Parquet files of one schema.

    Rows lie in order within each row group, by `order` (for events: name, then time), and the
    page index tells readers which pages hold which values; across row groups they keep the
    source's order of arrival, so the groups' own statistics narrow time as well.
    """

    def __init__(
        self,
        schema: pa.Schema,
        compression: str,
        *,
        order: Sequence[str] = (),
        membership: str | None = None,
        max_block_bytes: int = ROW_GROUP_BYTES,
    ) -> None:
        self._schema = schema
        self._compression = compression
        self._order = [(name, "ascending") for name in order if name in schema.names]
        self._membership = membership
        self._max_bytes = min(max_block_bytes, ROW_GROUP_BYTES)

    def blocks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Block[pa.Table]]:
        """Gather batches into row groups of `ROW_GROUP_ROWS`, or about `ROW_GROUP_BYTES`."""
        group: list[pa.RecordBatch] = []
        rows = size = 0
        for batch in batches:
            for piece in self._pieces(batch):
                if group and (
                    rows + piece.num_rows > ROW_GROUP_ROWS or size + piece.nbytes > self._max_bytes
                ):
                    block, group, rows, size = self._block(group), [], 0, 0
                    yield block
                    del block
                group.append(piece)
                rows, size = rows + piece.num_rows, size + piece.nbytes
        if group:
            yield self._block(group)

    def writer(self, sink: Sink) -> "ParquetFile":
        return ParquetFile(sink, self._schema, self._compression, self._order)

    def _pieces(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for start in range(0, batch.num_rows, ROW_GROUP_ROWS):
            yield from sliced(batch.slice(start, ROW_GROUP_ROWS), self._max_bytes)

    def _block(self, group: list[pa.RecordBatch]) -> Block[pa.Table]:
        table = pa.Table.from_batches(group, self._schema)
        if self._order:
            keys = table.select([name for name, _ in self._order])
            table = table.take(pc.sort_indices(keys, sort_keys=self._order))
        return Block(table.num_rows, table, *bounds(table, self._membership))


class ParquetFile:
    """One file being written; each table becomes a row group."""

    def __init__(
        self, sink: Sink, schema: pa.Schema, compression: str, order: list[tuple[str, str]]
    ) -> None:
        self._writer = pq.ParquetWriter(
            arrow_file(sink),
            schema,
            compression=compression,
            compression_level=LEVELS.get(compression),
            use_dictionary=[path for path in map(_dictionary_path, schema) if path],
            # Bounds of JSON text would help no reader, and are as long as the text.
            write_statistics=[f.name for f in schema if not f.type.equals(JSON)],
            write_page_index=True,
            sorting_columns=pq.SortingColumn.from_ordering(schema, order) if order else None,
        )

    def write(self, table: pa.Table, /) -> None:
        self._writer.write_table(table, row_group_size=table.num_rows)

    def close(self) -> None:
        self._writer.close()


def _dictionary_path(field: pa.Field) -> str | None:
    """Where in the file a field's text stands, if a dictionary pays for it: where names recur.

    Of long text dictionaries would only be tried in vain.
    """
    if pa.types.is_list(field.type) and pa.types.is_string(field.type.value_type):
        return f"{field.name}.list.element"
    return field.name if pa.types.is_string(field.type) and field.name != "uuid" else None
