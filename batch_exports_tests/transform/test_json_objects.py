"""Columns as JSON objects, beside Python's own."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.transform.json_objects import (
    Path,
    PathConflict,
    check_paths,
    json_objects,
    parse_path,
    shown,
)

KEYS = st.text(st.characters(exclude_characters=".[]", codec="utf-8"), min_size=1, max_size=3)
PATHS = st.tuples(KEYS, st.lists(KEYS | st.integers(0, 3), max_size=3)).map(lambda p: (p[0], *p[1]))
VALUES = st.none() | st.integers() | st.text() | st.lists(st.booleans(), max_size=2)


def put(whole: Any, path: Path, value: Any) -> Any:
    """The value at its path in nested dicts and lists, one value at a time."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        whole = list(whole or [])
        whole += [None] * (key + 1 - len(whole))
        whole[key] = put(whole[key], rest, value)
        return whole
    whole = dict(whole or {})
    whole[key] = put(whole.get(key), rest, value)
    return whole


@given(st.lists(PATHS, unique=True, max_size=6), st.lists(st.lists(VALUES, min_size=6, max_size=6)))
def test_objects_are_those_of_a_naive_builder(paths: list[Path], rows: list[list[Any]]) -> None:
    try:
        check_paths(paths)
    except PathConflict:
        return
    columns = {
        path: pa.array([None if row[n] is None else json.dumps(row[n]) for row in rows], "string")
        for n, path in enumerate(paths)
    }
    expected = []
    for row in rows:
        whole: Any = {}
        for n, path in enumerate(paths):
            whole = put(whole, path, row[n])
        expected.append(whole)
    assert [json.loads(text) for text in json_objects(columns, len(rows)).to_pylist()] == expected


def test_a_text_is_the_value_of_all_rows() -> None:
    values = {("plan",): '"free"', ("n",): pa.array(["1", None])}
    assert json_objects(values, 2).to_pylist() == [
        '{"plan":"free","n":1}',
        '{"plan":"free","n":null}',
    ]
    assert json_objects({}, 2).to_pylist() == ["{}", "{}"]


@given(PATHS)
def test_paths_are_read_as_they_are_shown(path: Path) -> None:
    assert parse_path(shown(path)) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "[0]", "a[]", "a[x]", "a[0]b", "a]"])
def test_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        parse_path(text)


@pytest.mark.parametrize(
    ("one", "other"), [("a", "a"), ("a", "a.b"), ("a.b.c", "a.b"), ("a[0]", "a.b"), ("a.b", "a[1]")]
)
def test_paths_that_exclude_one_another(one: str, other: str) -> None:
    with pytest.raises(PathConflict) as raised:
        check_paths([parse_path(one), parse_path(other)])
    assert one in str(raised.value)
    assert other in str(raised.value)
