"""What became of a value, in words that a reader of the results needs no lake to understand."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from benchmarks.contents.expected import Kind


def explain(kind: Kind, pairs: Iterable[tuple[Any, Any]]) -> list[str]:
    """What changed between values of the lake and those delivered; most frequent first.

    JSON comes as text, times with their zone. Empty where the values mean the same.
    """
    changes = Counter(_change(kind, expected, found) for expected, found in pairs)
    return [change for change, _ in changes.most_common() if change]


def _change(kind: Kind, expected: Any, found: Any) -> str:
    if expected is None or found is None:
        return _of_null(expected, found)
    if kind == "json":
        return _of_json(str(expected), str(found))
    if kind == "time":
        return _of_time(expected, found)
    return "" if str(expected) == str(found) else "other values"


def _of_null(expected: Any, found: Any) -> str:
    if expected is found:
        return ""
    if expected is None:
        return 'NULL became ""' if found == "" else "NULL became a value"
    return '"" became NULL' if expected == "" else "a value became NULL"


def _of_json(expected: str, found: str) -> str:
    try:
        wanted, given = _parsed(expected), _parsed(found)
    except ValueError:
        return "JSON became text that is none"
    if wanted == given:
        return ""
    if isinstance(given, str):
        try:
            inner = _parsed(given)
        except ValueError:
            return "JSON became text that is none"
        return "JSON as quoted text" if inner == wanted else "JSON as quoted text, changed"
    if _rounded(wanted) == _rounded(given):
        return "numbers rounded"
    if _without_nulls(wanted) == _without_nulls(given):
        return "nulls lost in JSON"
    return "other JSON"


def _parsed(text: str) -> Any:
    """Numbers keep every digit; 1.50 is 1.5, and 2e3 is 2000."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def _rounded(value: Any) -> Any:
    match value:
        case dict():
            return {name: _rounded(member) for name, member in value.items()}
        case list():
            return [_rounded(member) for member in value]
        case Decimal():
            return f"{float(value):.6g}"
    return value


def _without_nulls(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: _without_nulls(member) for name, member in value.items() if member is not None
            }
        case list():
            return [_without_nulls(member) for member in value]
    return value


def _of_time(expected: datetime, found: Any) -> str:
    if not isinstance(found, datetime):
        return "times as text"
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    apart = abs((found - expected).total_seconds())
    if apart == 0:
        return ""
    if apart < 0.001:
        return "times rounded to milliseconds"
    return "times rounded to seconds" if apart < 1 else "other times"
