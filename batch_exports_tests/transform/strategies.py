"""Hypothesis strategies for JSON text, and a strict oracle of what is JSON."""

import json
from typing import Any

from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(alphabet='\\"/\b\f\n\r\t\0\x1f\x7f\u2028é😀 ,:{}[]', max_size=8)
)
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | st.sampled_from("ab"), inner, max_size=4)
    ),
    max_leaves=8,
)
SPACE = st.text(alphabet=" \t\n\r", max_size=2)


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """A JSON value as text, in one of its many spellings."""
    text = json.dumps(
        draw(JSON_VALUES),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")])),
    )
    return draw(SPACE) + text + draw(SPACE)


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    """JSON text with a few characters cut out or put in: mostly not JSON any more."""
    text = draw(json_texts())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + draw(st.sampled_from(FRAGMENTS)) + text[stop:]
    return text


FRAGMENTS = [
    *["", ",", ":", "[", "]", "{", "}", '"', "\\", "0", "-", "+", ".", "e", "E5", "1.", ".5", "00"],
    *["null", "NaN", "Infinity", "-Infinity", "nul", "True", "'", "//", "\x00", "\n", "\x0b"],
    *[
        "\ufeff",
        "\u00a0",
        "\\u12",
        "\\x41",
        "\\ud83d\\ude00",
        "a",
        "[1",
        "2]",
        '{"a":',
        "1,2",
        "},{",
    ],
]


def is_json(text: str) -> bool:
    """Whether a text is JSON by RFC 8259, told by Python's own parser made strict."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def exact(text: str) -> Any:
    """JSON parsed so that a number equals only one of the same spelling."""
    return json.loads(text, parse_int=_number, parse_float=_number)


def _number(text: str) -> tuple[str, str]:
    return ("number", text)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
