"""JSON text by whole columns, held against Python's own parser value by value."""

import json
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.local.hostile import HOSTILE
from batch_exports.transform.json_text import (
    member,
    plain_text,
    positions_failing,
    positions_mask,
    raw_array,
    repair,
)
from batch_exports_tests.transform.strategies import exact, is_json, json_texts, mutated_texts

NUMBERS = ["1.10", "123456789012345678901234567890", "1e400", "-0", "0.1E-7", "9007199254740993"]


def column(*texts: str | None) -> pa.Array:
    return pa.array(texts, pa.string())


@given(st.lists(st.none() | json_texts() | mutated_texts() | st.text(max_size=6), max_size=12))
def test_exactly_what_is_not_json_is_invalid(texts: list[str | None]) -> None:
    values = pa.array([None, *texts, "[1]"], pa.string())[1:-1]  # a slice, as batches may be
    repaired = repair(values)
    bad = [at for at, text in enumerate(texts) if text is not None and not is_json(text)]
    assert repaired.invalid == bad
    changed = set(repaired.replaced)
    assert not changed & set(bad)
    for at, (before, after) in enumerate(zip(texts, repaired.values.to_pylist(), strict=True)):
        assert before == after or at in changed


@pytest.mark.parametrize(
    "texts",
    [
        ["1,2"],
        ["[1", "2]"],
        ['{"a":[{"x":1}', '{"y":2}]}'],
        ['{"a":[{"x":1}', '{"y":2}]}', '{"z":3},{"z":4}'],
        ['"a', 'b"'],
        ["1", "], [", "2"],
        ["", "1,2"],
        [" ", "1"],
        ["1]", "[2"],
        ["[1", "2]", "3,4"],
        [" 1,2", "[3", "4] "],
    ],
)
def test_values_that_are_json_only_when_joined_are_found(texts: list[str]) -> None:
    good = ['{"b":1}'] * 3
    expected = [at + 3 for at, text in enumerate(texts) if not is_json(text)]
    assert repair(column(*good, *texts, *good)).invalid == expected


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (r'"\ud800"', r'"\ufffd"'),
        (r'"\uDFFF"', r'"\ufffd"'),
        (r'"\udc00\ud800"', r'"\ufffd\ufffd"'),
        (r'"\ud83d\ud83d\ude00"', r'"\ufffd\ud83d\ude00"'),
        (r'"\\\ud800"', r'"\\\ufffd"'),
        (r'{"\ud800":"\\ud800"}', r'{"\ufffd":"\\ud800"}'),
        (r'"\ud800A"', r'"\ufffdA"'),
    ],
)
def test_lone_surrogates_are_mended(text: str, mended: str) -> None:
    repaired = repair(column("1", text, None, "2"))
    assert repaired.values.to_pylist() == ["1", mended, None, "2"]
    assert (repaired.replaced, repaired.invalid) == ([1], [])


@pytest.mark.parametrize("text", [r'"\\ud800"', r'"\ud83d\ude00"', r'"\uD83D\uDE00"', r'"\\\\ud8"'])
def test_pairs_and_escaped_backslashes_stay(text: str) -> None:
    repaired = repair(column(text, "x"))
    assert repaired.values.to_pylist() == [text, "x"]
    assert (repaired.replaced, repaired.invalid) == ([], [1])


def test_a_lone_surrogate_in_what_is_not_json_changes_nothing() -> None:
    repaired = repair(column(r'{"a":"\ud800"'))
    assert repaired.values.to_pylist() == [r'{"a":"\ud800"']
    assert (repaired.replaced, repaired.invalid) == ([], [0])


def test_nesting_beyond_the_recursion_limit_is_invalid() -> None:
    depth = 2 * sys.getrecursionlimit()
    deep = "[" * depth + "]" * depth
    shallow = "[" * 100 + "]" * 100
    assert repair(column(shallow, deep, shallow)).invalid == [1]


def test_hostile_values_are_valid() -> None:
    repaired = repair(column(*HOSTILE.values()))
    assert repaired.invalid == []
    assert [list(HOSTILE)[at] for at in repaired.replaced] == ["lone surrogate"]


@given(st.lists(json_texts() | mutated_texts(), max_size=8), st.sampled_from(["a", "b", ""]))
def test_member_is_what_the_oracle_finds(texts: list[str], name: str) -> None:
    found = member(column(*texts), name).to_pylist()
    assert len(found) == len(texts)
    for text, raw in zip(texts, found, strict=True):
        assert (None if raw is None else exact(raw)) == exact_member(text, name)


def exact_member(text: str, name: str) -> Any:
    value = exact(text) if is_json(text) else None
    return value.get(name) if isinstance(value, dict) else None


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_keep_their_digits(number: str) -> None:
    text = f'{{"a": {number} , "b":[ {number}]}}'
    assert member(column(text, "{}"), "a").to_pylist() == [number, None]
    assert member(column(text, "{}"), "b").to_pylist() == [f"[ {number}]", None]


@pytest.mark.parametrize(
    "name", ["$ip", "", "a b", "é", "😀", 'q"q', "back\\slash", "tab\t", "\0", "__init__", "value"]
)
def test_members_of_any_name(name: str) -> None:
    for ascii_only in (True, False):
        text = json.dumps({"other": 1, name: [1, 2]}, ensure_ascii=ascii_only)
        assert member(column(text, "{}", None), name).to_pylist() == ["[1, 2]", None, None]


def test_the_last_of_repeated_members_counts() -> None:
    found = member(column('{"a":1,"a":2}', '{"a":1,"a":null}', '{"\\u0061":3}'), "a")
    assert found.to_pylist() == ["2", None, "3"]


def test_rows_beside_bad_ones_keep_their_members() -> None:
    texts = ['{"a":1}', '{"a":[{"x":1}', '{"y":2}]}', '{"a":2},{"a":3}', '{"a":4}', "nonsense"]
    assert member(column(*texts), "a").to_pylist() == ["1", None, None, None, "4", None]


def test_a_lone_surrogate_elsewhere_leaves_members_alone() -> None:
    texts = [r'{"a":1.10,"b":"\ud800"}', r'{"b":"\\ud800","a":"x"}', '{"a":2}']
    assert member(column(*texts), "a").to_pylist() == ["1.10", '"x"', "2"]


@given(st.lists(st.none() | st.text(), max_size=8), st.booleans())
def test_plain_text_of_strings(texts: list[str | None], ascii_only: bool) -> None:
    raw = [None if text is None else json.dumps(text, ensure_ascii=ascii_only) for text in texts]
    assert plain_text(column(*raw)).to_pylist() == texts


def test_plain_text_of_other_values_is_their_json() -> None:
    values = ["1.10", "true", "[1, 2]", '{"a": 1}', None, '"say \\"hi\\""']
    assert plain_text(column(*values)).to_pylist() == [*values[:-1], 'say "hi"']


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"a":"\xff"}', b"\xff"),
        (b'{"a":"\xff\\n"}', b"\xff\n"),
        (b'{"a":"\xff","b":"\\ud800"}', b"\xff"),
        (b'{"a":"\xff"', None),
    ],
)
def test_bytes_that_are_no_text_stay_as_they_are(text: bytes, found: bytes | None) -> None:
    """They are found and counted later, by `clean`; reading a member must not fail on them."""
    plain = plain_text(member(raw_array([text, b'{"a":"x"}']), "a"))
    assert plain.cast(pa.binary()).to_pylist() == [found, b"x"]


def test_repair_leaves_bytes_that_are_no_text() -> None:
    texts = [b'{"a":"\xff"}', b'{"a":"\xff\\ud800"}', b"\xff"]
    repaired = repair(raw_array(texts))
    assert (repaired.replaced, repaired.invalid) == ([1], [2])
    mended = [texts[0], b'{"a":"\xff\\ufffd"}', texts[2]]
    assert repaired.values.cast(pa.binary()).to_pylist() == mended


@given(st.lists(st.booleans(), max_size=40))
def test_positions_are_found_and_marked(fails: list[bool]) -> None:
    found = positions_failing(len(fails), lambda start, stop: not any(fails[start:stop]))
    assert found == [at for at, bad in enumerate(fails) if bad]
    assert positions_mask(found, len(fails)).to_pylist() == fails


def test_empty_columns() -> None:
    assert repair(column()).values.to_pylist() == []
    assert member(column(), "a").to_pylist() == []
    assert plain_text(column()).to_pylist() == []
    assert raw_array([]).to_pylist() == []
