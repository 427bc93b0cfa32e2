"""What a mapping's constants put at the root of an event, merged into calls.

Constants differ between mappings, not between rows: each of a column's few values is read once.
"""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass

import msgspec
import pyarrow as pa

NOT_AN_OBJECT = "is not a JSON object"

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class RootMembers:
    """For each row the JSON members, a comma after each: of the root, and of its `inner` object.

    `faults` says why the members of a row cannot be merged; NULL where they can.
    """

    root: pa.Array
    inner: pa.Array
    faults: pa.Array


def root_members(
    values: pa.Array, reserved: Set[str], inner: str = "", reserved_inner: Set[str] = frozenset()
) -> RootMembers:
    """Members of a column of JSON objects. Those of the object called `inner` stand apart.

    What the call itself has, `reserved`, cannot be merged: neither may win in silence.
    """
    coded = values.dictionary_encode()
    read = [
        _read(text, reserved, inner, reserved_inner)
        for text in coded.dictionary.cast(pa.binary()).to_pylist()
    ]
    # NULL has none.
    rows = coded.indices.fill_null(len(read))
    columns = zip(*read, ("", "", None), strict=True)
    return RootMembers(*(pa.array(column, pa.string()).take(rows) for column in columns))


def _read(
    text: bytes, reserved: Set[str], inner: str, reserved_inner: Set[str]
) -> tuple[str, str, str | None]:
    try:
        members = _MEMBERS.decode(text)
        within = _MEMBERS.decode(members.pop(inner)) if inner in members else {}
    except msgspec.DecodeError:
        return "", "", NOT_AN_OBJECT
    taken = [
        *(members.keys() & reserved),
        *(f"{inner}.{m}" for m in within.keys() & reserved_inner),
    ]
    if taken:
        return "", "", f"has {min(taken)}, which the call has itself"
    return _written(members), _written(within), None


def _written(members: Mapping[str, msgspec.Raw]) -> str:
    return "".join(f"{json.dumps(name)}:{bytes(raw).decode()}," for name, raw in members.items())
