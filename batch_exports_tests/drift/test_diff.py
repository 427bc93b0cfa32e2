"""What differs of columns is told as people would: by what changed, and whether it matters."""

from collections.abc import Sequence

import pytest

from batch_exports.drift.diff import Difference, differences, table
from batch_exports.sources.found_columns import FoundColumn, FoundColumns

EXPORTED = {"id", "at"}


def columns(text: str, *, sampled: bool = False) -> FoundColumns:
    """Of "name type", separated by commas; a type that ends in ! takes no NULL, in ? takes it."""
    nulls = {"!": False, "?": True}
    found = []
    for each in filter(None, text.split(", ")):
        name, _, type_ = each.partition(" ")
        found.append(FoundColumn(name, type_.rstrip("!?"), nulls.get(type_[-1:])))
    return FoundColumns(tuple(found), sampled)


def told(found: Sequence[Difference]) -> list[tuple[str, str, bool]]:
    return [(each.kind, each.column, each.breaks) for each in found]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("id int, at time", "id int, at time", []),
        ("id int, at time", "id int, at time, note text", [("added", "note", False)]),
        ("id int, at time, note text", "id int, at time", [("removed", "note", False)]),
        ("id int, at time", "id int", [("removed", "at", True)]),
        ("id int, at time", "id bigint, at time", [("type", "id", True)]),
        ("id int, note text", "id int, note json", [("type", "note", False)]),
        ("id int!", "id int?", [("nullability", "id", False)]),
        ("id int", "id int?", []),  # where nobody knew, nothing changed
        ("id int!, note text", "id bigint?, note text", [("type", "id", True)]),
        ("a int, b int, c int, d int", "a int, c int, b int, d int", [("order", "", False)]),
        # What came and went moves nobody else.
        ("a int, b int", "new int, a int, b int", [("added", "new", False)]),
        ("id int, b int", "b int, at time", [("removed", "id", True), ("added", "at", False)]),
    ],
)
def test_differences(before: str, now: str, expected: list[tuple[str, str, bool]]) -> None:
    assert told(differences("source", columns(before), columns(now), EXPORTED)) == expected


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("id string, at string", "at string, id string", []),
        ("id string, at string", "id string", []),  # other lines may have it
        ("id string", "id string, note object", [("added", "note", False)]),
        ("id string or number", "id number", []),
        ("id string", "id number or string", [("type", "id", True)]),
        ("id string", "id ", []),
        ("id ", "id string", []),
    ],
)
def test_a_sample_tells_less(before: str, now: str, expected: list[tuple[str, str, bool]]) -> None:
    was, becomes = columns(before, sampled=True), columns(now, sampled=True)
    assert told(differences("source", was, becomes, EXPORTED)) == expected
    # What was approved includes what was approved before, so that none of both is news again.
    both = becomes.with_known(was)
    assert differences("source", both, was, EXPORTED) == []
    assert differences("source", both, becomes, EXPORTED) == []


def test_where_all_is_taken_all_matters() -> None:
    found = differences("source", columns("id int, note text"), columns("id int"), None)
    assert told(found) == [("removed", "note", True)]


def test_as_people_read_it() -> None:
    before, now = columns("id int!, a text, b text"), columns("id bigint!, b text, a text, x|y `z")
    found = differences("destination", before, now, EXPORTED)
    assert [str(each) for each in found] == [
        "~ destination  id  int NOT NULL -> bigint NOT NULL  (other type)",
        "+ destination  x|y  `z  (added, not exported)",
        "~ destination  columns  a, b -> b, a  (other order)",
    ]
    assert table(found).splitlines()[2:] == [
        "| destination | `id` | other type | `int NOT NULL` | `bigint NOT NULL` |",
        r"| destination | `x\|y` | added, not exported |  | `'z` |",
        "| destination |  | other order | `a, b` | `b, a` |",
    ]
