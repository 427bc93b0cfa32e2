"""The members that lines of JSON have, with the kinds of their values, by the first lines."""

from collections.abc import Iterator

import msgspec

from batch_exports.errors import Terminal
from batch_exports.sources.found_columns import FoundColumn, FoundColumns
from batch_exports.sources.json_lines import Stream
from batch_exports.transform.json_text import mend_surrogates

SAMPLE_BYTES = 2**20
_MOST_LINES = 500
_LINE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KINDS = {"{": "object", "[": "array", '"': "string", "t": "boolean", "f": "boolean", "n": ""}


def sample_members(stream: Stream, where: str) -> FoundColumns:
    """Of the first 500 whole lines within a MiB. A member whose values are of several kinds
    has all of these as its type. Raises `Terminal` for a line that is no object."""
    kinds: dict[str, set[str]] = {}
    for number, line in enumerate(_lines(stream), start=1):
        try:
            members = _LINE.decode(mend_surrogates(line))
        except (msgspec.DecodeError, RecursionError) as error:
            raise Terminal(
                f"{where}, line {number}: {error}.",
                remedy="Each line must be one JSON object. Write the file again.",
            ) from error
        for name, value in members.items():
            kinds.setdefault(name, set()).add(_kind(value))
    return FoundColumns(
        tuple(FoundColumn.of_kinds(name, found - {""}) for name, found in kinds.items()),
        sampled=True,
    )


def _lines(stream: Stream) -> Iterator[bytes]:
    data = stream.read(SAMPLE_BYTES)
    # The last line is whole where the stream ends within the sample.
    whole = data.rpartition(b"\n")[0] if len(data) == SAMPLE_BYTES else data
    lines = whole.split(b"\n")
    yield from [line for line in lines if line.strip()][:_MOST_LINES]


def _kind(value: msgspec.Raw) -> str:
    return _KINDS.get(bytes(memoryview(value)[:1]).decode(), "number")
