"""Pages about what lands on S3: keys, files, manifests."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from batch_exports.destinations.s3.destination import COMPRESSIONS
from batch_exports.destinations.s3.keys import VARIABLES, Keys, KeyStyle, KeyTemplate
from batch_exports.destinations.s3.manifest import Manifest
from batch_exports.interval import DataInterval
from batch_exports.models import EVENTS, JSON, TIMESTAMP, type_name
from batch_exports.transform.jsonlines import encode_lines
from batch_exports.transform.parquet import ROW_GROUP_ROWS, ParquetFormat
from docs.fields import code, paragraphs, table

_INTERVAL = DataInterval(
    datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 11, 1, 10, tzinfo=UTC)
)
_STYLES: tuple[KeyStyle, KeyStyle] = ("safe", "posthog")
_EXTENSIONS = {"parquet": "parquet", "jsonlines": "jsonl"}
_PREFIXES = ("{table}/{year}/{month}/{day}/", "{year}-{month}-{day}_{table}/", "")


def keys() -> str:
    variables = [
        (code(f"{{{v}}}"), *(code(_keys(f"{{{v}}}", s).stem.split("/")[0]) for s in _STYLES))
        for v in VARIABLES
    ]
    prefixes = [
        (code(prefix or '""'), style, code(_keys(prefix, style).data(0)))
        for prefix in _PREFIXES
        for style in _STYLES
    ]
    example = _keys("{table}/{year}/{month}/{day}/", "safe", numbered=True)
    objects = [
        (
            "data, first file",
            code(example.data(0)),
            "with `max_file_size_mib` or `shards`, files are numbered",
        ),
        ("data, second file", code(example.data(1)), ""),
        ("manifest", code(example.manifest), "always; written last"),
        (
            "rejects",
            code(example.aside),
            "only where rows were rejected or values replaced; of each of several `shards`, one",
        ),
        ("lock", code(example.lock), "only while a run delivers"),
    ]
    return f"""
# Keys on S3

`<key_prefix>/<start>-<end>[-<n>].<parquet|jsonl>[.<codec>]`. The examples of this page are the
interval {_INTERVAL} of the model `events`, by the code that makes the keys.

## Variables of `key_prefix`

{table(("variable", *(f"`key_style: {s}`" for s in _STYLES)), variables)}

Times are UTC. With `safe`, date variables come from the interval's **start**; with `posthog`, from
its **end**, as PostHog has it. A variable that is not in this list, an index, an attribute or a
format (`{{0}}`, `{{table.x}}`, `{{day:>3}}`) is an error when the file is loaded, as are segments
that are empty, `.` or `..`.

## Prefixes

{table(("`key_prefix`", "`key_style`", "key of a zstd Parquet file"), prefixes)}

Two exports whose keys are the same would replace each other's deliveries; the second one to run
fails, and says which export delivers there. Give each a prefix of its own.

## Objects of one interval

{table(("object", "key", ""), objects)}
"""


def files() -> str:
    codecs = [
        (code(f), code(c), *(code(_file(f, c, suffix)) for suffix in (True, False)))
        for f, compressions in COMPRESSIONS.items()
        for c in compressions
    ]
    return f"""
# Files on S3

## Formats and codecs

{table(("`file_format`", "`compression`", "file ends in", "`parquet_codec_suffix: false`"), codecs)}

A Parquet file with a codec's suffix is still a Parquet file: read it as such, do not decompress it
first. JSON lines with gzip are one gzip stream a file.

## Types

{table(("type", "in Parquet", "in JSON lines"), _types())}

In JSON lines every column is on every line, NULL as `null`, times in UTC. In Parquet NULL is NULL.
JSON keeps its digits and its order of keys in both.

## Layout

Parquet files have row groups of at most {ROW_GROUP_ROWS:,} rows, and a page index. Within a row
group events are sorted by {" and ".join(map(code, EVENTS.order))}, so that readers who filter by
these columns skip data; other rows keep their source's order.

`max_file_size_mib` is measured on stored, compressed bytes. A file is ended by the row group (in
JSON lines: the block of lines) that takes it to the limit, so it is larger by that much at most. No
file is empty: an interval without rows has a manifest and no file.
"""


def manifest() -> str:
    schema = json.dumps(Manifest.model_json_schema(), indent=2)
    return f"""
# The manifest

`<start>-<end>_manifest.json` beside the data: {paragraphs(Manifest.__doc__)}

Read the manifest to learn which files make up an interval; do not list the prefix for it. PostHog
writes `files` alone, and only with a file size limit; here every interval has a manifest.

`membership_min` and `membership_max` are the least and the greatest value of the membership column
in an object; null where that column is not exported.

## JSON schema

```json
{schema}
```
"""


def _keys(prefix: str, style: KeyStyle, *, numbered: bool = False) -> Keys:
    return _template(prefix, style, "parquet", "zstd", True, numbered).keys(_INTERVAL)


def _file(file_format: str, compression: str, codec_suffix: bool) -> str:
    suffix = codec_suffix or file_format != "parquet"
    template = _template("", "safe", file_format, compression, suffix, False)
    keys = template.keys(_INTERVAL)
    return keys.data(0).removeprefix(keys.stem)


def _template(
    prefix: str, style: KeyStyle, file_format: str, codec: str, suffix: bool, numbered: bool
) -> KeyTemplate:
    return KeyTemplate.parse(
        prefix,
        table="events",
        style=style,
        file_extension=_EXTENSIONS[file_format],
        compression=codec,
        codec_suffix=suffix,
        numbered=numbered,
    )


def _types() -> list[tuple[str, str, str]]:
    """Each type that columns may have, written by the encoders and looked at."""
    moment = datetime(2026, 11, 1, 9, 30, 0, 123456, UTC)
    values = [
        pa.array(["text"]),
        pa.array([7]),
        pa.array([0.25]),
        pa.array([0.25], pa.float32()),
        pa.array([Decimal("0.25")], pa.decimal128(38, 9)),
        pa.array([True]),
        pa.array([moment], TIMESTAMP),
        pa.array([moment.date()]),
        pa.ExtensionArray.from_storage(JSON, pa.array(['{"price": 12.50}'])),
        pa.array([["text", None]]),
    ]
    return [(code(type_name(value.type)), _in_parquet(value), _in_lines(value)) for value in values]


def _in_parquet(value: pa.Array) -> str:
    table, sink = pa.table([value], names=["value"]), io.BytesIO()
    parquet = ParquetFormat(table.schema, "none").writer(sink)
    parquet.write(table)
    parquet.close()
    column = pq.ParquetFile(sink).schema.column(0)
    logical = column.logical_type.type
    name = column.physical_type if logical == "NONE" else f"{column.physical_type} {logical}"
    return code(name) if column.path == "value" else f"LIST of {code(name)}"


def _in_lines(value: pa.Array) -> str:
    # Lines are cut by hand: a JSON parser would not show what is written.
    line = encode_lines(pa.record_batch([value], names=["value"])).to_pybytes().decode()
    return code(line.removeprefix('{"value":').removesuffix("}\n"))
