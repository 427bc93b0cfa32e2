"""Filters, held against their meaning spelled out row by row."""

import json
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.errors import ConfigurationError
from batch_exports.models import JSON
from batch_exports.transform.filters import PropertyFilter, RowFilter

MISSING = object()
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
NUMBERS = ["10", "10.0", "1e1", "-0", "0", "2.5", "-3", "1.10", "9007199254740993", "1e400"]
WORDS = [
    "",
    "a",
    "A",
    "ab",
    "Éa",
    "é",
    "ß",
    "10",
    "10.0",
    " 10",
    "1e1",
    "true",
    "null",
    "a\nb",
    '"',
]
RAW = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(["true", "false", "null", "[]", "[1, 2]", '{"a": 1}', "{}"]),
    st.builds(json.dumps, st.sampled_from(WORDS) | st.text(max_size=4), ensure_ascii=st.booleans()),
    st.just(MISSING),
)
TEXTS = st.sampled_from([*WORDS, *NUMBERS, "[1, 2]", "false"]) | st.text(max_size=2)
SMALL = st.sampled_from([10, 10.0, 0, -3, 2.5, 1e300, 2**53 + 1, 2**53, True, False])
PATTERNS = ["a", "^a", "b$", "[0-9]+", "a.b", "^$", "é", r"\.", "a|1", "(?i)É", r"^\w$", '"']


def batch(raws: list[Any], column: str = "properties") -> pa.RecordBatch:
    """Rows whose property `key` has the given raw JSON, beside other members."""
    rows = ['{"x":1}' if raw is MISSING else f'{{"x":{{"key":1}},"key": {raw} }}' for raw in raws]
    return pa.record_batch({column: pa.array(rows, pa.string())})


def matched(item: PropertyFilter, raws: list[Any]) -> list[bool]:
    mask = item.mask(batch(raws))
    assert mask.null_count == 0
    return list(mask.to_pylist())


def check(operator: Any, value: Any, raws: list[Any]) -> None:
    item = PropertyFilter("key", "event", operator, value)
    assert matched(item, raws) == [expected(operator, value, raw) for raw in raws]


def flags_of(pattern: str) -> int:
    """RE2's classes are of ASCII, and yet it folds the case of all letters."""
    return 0 if pattern.startswith("(?i)") else re.ASCII


def expected(operator: str, value: Any, raw: Any) -> bool:
    if raw is MISSING or raw == "null":
        return operator == "is_not_set"
    text = json.loads(raw) if raw.startswith('"') else raw
    number = float(text) if NUMBER.fullmatch(text) else None
    values = value if isinstance(value, list) else [value]
    match operator:
        case "is_set" | "is_not_set":
            return operator == "is_set"
        case "exact":
            return any(equal(text, number, one) for one in values)
        case "is_not":
            return not any(equal(text, number, one) for one in values)
        case "icontains":
            return bool(re.search(re.escape(value), text, re.IGNORECASE))
        case "not_icontains":
            return not re.search(re.escape(value), text, re.IGNORECASE)
        case "regex":
            return bool(re.search(value.replace("$", r"\Z"), text, flags_of(value)))
        case "not_regex":
            return not re.search(value.replace("$", r"\Z"), text, flags_of(value))
        case "gt":
            return number is not None and number > value
        case _:
            return number is not None and number < value


def equal(text: str, number: float | None, value: Any) -> bool:
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, str) or (isinstance(value, int) and abs(value) >= 2**53):
        return text == str(value)
    return number == value


@given(st.lists(RAW, max_size=8), TEXTS | SMALL | st.lists(TEXTS | SMALL, min_size=1, max_size=3))
def test_exact_and_is_not(raws: list[Any], value: Any) -> None:
    check("exact", value, raws)
    check("is_not", value, raws)


@given(
    st.lists(RAW, max_size=8), st.sampled_from(["", "a", "É", "e", "10", "1, 2", "\n", '"', "."])
)
def test_icontains(raws: list[Any], value: str) -> None:
    check("icontains", value, raws)
    check("not_icontains", value, raws)


@given(st.lists(RAW, max_size=8), st.sampled_from(PATTERNS))
def test_regex(raws: list[Any], value: str) -> None:
    check("regex", value, raws)
    check("not_regex", value, raws)


@given(st.lists(RAW, max_size=8), st.sampled_from([10, 9.99, 0, -3, 1e308, 10**300]))
def test_gt_and_lt(raws: list[Any], value: float) -> None:
    check("gt", value, raws)
    check("lt", value, raws)


@given(st.lists(RAW, max_size=8))
def test_is_set(raws: list[Any]) -> None:
    check("is_set", None, raws)
    check("is_not_set", None, raws)


def test_long_ids_never_match_a_neighbour() -> None:
    ids = ["1234567890123456788", "1234567890123456789", '"1234567890123456789"']
    item = PropertyFilter("key", "event", "exact", 1234567890123456789)
    assert matched(item, ids) == [False, True, True]


@pytest.mark.parametrize("name", ["properties", "person_properties"])
@pytest.mark.parametrize("operator", ["exact", "is_not", "not_regex", "gt", "is_set", "is_not_set"])
def test_rows_without_properties(name: str, operator: Any) -> None:
    value: Any = {"gt": 1, "not_regex": "a", "exact": 1, "is_not": 1}.get(operator)
    type_: Any = "event" if name == "properties" else "person"
    item = PropertyFilter("key", type_, operator, value)
    assert item.column == name
    rows = pa.array([None, "[1]", "not JSON", '"key"', '{"key":null}'], pa.string())
    missing = operator == "is_not_set"
    assert item.mask(pa.record_batch({name: rows})).to_pylist() == [missing] * 5
    assert item.mask(pa.record_batch({name: rows[:0]})).to_pylist() == []
    assert item.mask(pa.record_batch({name: rows.cast(JSON)})).to_pylist() == [missing] * 5


@pytest.mark.parametrize(
    ("settings", "problem", "remedy"),
    [
        ({"operator": "equals", "value": 1}, "'equals' is unknown", "Use exact, is_not"),
        (
            {"operator": "exact", "value": 1, "type": "group"},
            "'group' is unknown",
            "event or person",
        ),
        ({"operator": "is_set", "value": True}, "takes no value", "Remove it"),
        ({"operator": "is_not_set", "value": ""}, "takes no value", "Remove it"),
        ({"operator": "gt", "value": "10"}, "'10' is not a number", "Give a number"),
        ({"operator": "gt", "value": True}, "True is not a number", "Give a number"),
        ({"operator": "lt"}, "None is not a number", "Give a number"),
        ({"operator": "lt", "value": float("nan")}, "nan is not a finite", "1.8e308"),
        ({"operator": "gt", "value": float("inf")}, "inf is not a finite", "1.8e308"),
        ({"operator": "gt", "value": 10**309}, "is not a finite", "1.8e308"),
        ({"operator": "exact", "value": 10**309}, "is not a finite", "1.8e308"),
        ({"operator": "exact"}, "no value", "is_set"),
        ({"operator": "is_not", "value": []}, "no value", "is_set"),
        ({"operator": "exact", "value": ()}, "no value", "is_set"),
        ({"operator": "exact", "value": ["a", None]}, "None is no value", "Give text"),
        ({"operator": "is_not", "value": [["a"]]}, "['a'] is no value", "Give text"),
        ({"operator": "icontains", "value": 10}, "10 is not text", "Give a string"),
        ({"operator": "not_icontains", "value": ["a"]}, "['a'] is not text", "Give a string"),
        ({"operator": "regex"}, "None is not text", "Give a string"),
        ({"operator": "regex", "value": "("}, "'(' is not a regular expression", "RE2"),
        ({"operator": "not_regex", "value": r"(a)\1"}, "is not a regular expression", "RE2"),
    ],
)
def test_what_does_not_go_together(settings: dict[str, Any], problem: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PropertyFilter(**({"key": "plan", "type": "event"} | settings))
    assert caught.value.field == "filters"
    assert "'plan'" in caught.value.problem
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


NAMES = st.lists(st.none() | st.sampled_from(["a", "b", "c", ""]), max_size=8)
CHOICES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=3).map(tuple)


@given(NAMES, CHOICES, CHOICES)
def test_events(
    names: list[str | None], include: tuple[str, ...], exclude: tuple[str, ...]
) -> None:
    rows = RowFilter(include, exclude)
    mask = rows.event_mask(pa.array(names, pa.string())).to_pylist()
    assert mask == [(not include or name in include) and name not in exclude for name in names]
    assert rows.by_event == bool(include or exclude)


def test_all_conditions_must_hold() -> None:
    rows = RowFilter(
        include_events=("a",),
        properties=(
            PropertyFilter("n", "event", "gt", 1),
            PropertyFilter("plan", "person", "exact", "pro"),
            PropertyFilter("n", "event", "lt", 3),
        ),
    )
    assert rows.columns == ("event", "properties", "person_properties")
    given = pa.record_batch(
        {
            "row": pa.array([0, 1, 2, 3, 4]),
            "properties": pa.array(['{"n":2}', '{"n":2}', '{"n":3}', '{"n":1}', "{}"]),
            "person_properties": pa.array(['{"plan":"pro"}', "{}", *['{"plan":"pro"}'] * 3]),
        }
    )
    assert rows.matching(given)["row"].to_pylist() == [0]
    assert rows.matching(given[:0]).num_rows == 0
    assert RowFilter().columns == ()
    assert RowFilter().matching(given).equals(given)
