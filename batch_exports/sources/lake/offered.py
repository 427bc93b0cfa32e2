"""The columns that a lake has for a model: those of the file that was written last."""

import pyarrow.parquet as pq

from batch_exports.interval import DataInterval
from batch_exports.sources.found_columns import FoundColumn, FoundColumns
from batch_exports.sources.json_members import sample_members
from batch_exports.sources.lake import json_files
from batch_exports.sources.lake.lake import Lake
from batch_exports.sources.source import Selection
from batch_exports.sources.storage_errors import storage_errors


def offered(lake: Lake, selection: Selection, interval: DataInterval) -> FoundColumns | None:
    """Of Parquet by its footer, of JSON lines by the first lines. None where there is no file.

    Raises `Terminal` and `Transient` as the lake does.
    """
    path = lake.newest(selection.model)
    if path is None:
        return None
    where = lake.shown(path)
    with storage_errors(where):
        if not path.endswith(".parquet"):
            with json_files.opened(lake.filesystem, path) as stream:
                return sample_members(stream, where)
        schema = pq.read_schema(path, filesystem=lake.filesystem)
    return FoundColumns(tuple(FoundColumn(f.name, str(f.type), f.nullable) for f in schema))
