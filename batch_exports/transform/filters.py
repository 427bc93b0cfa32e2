"""Which rows of an interval are exported: by event name, and by properties of event and person."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.errors import ConfigurationError
from batch_exports.transform.json_text import member, plain_text

Operator = Literal[
    "exact",
    "is_not",
    "icontains",
    "not_icontains",
    "regex",
    "not_regex",
    "gt",
    "lt",
    "is_set",
    "is_not_set",
]
Value = str | int | float | bool | Sequence[str | int | float | bool] | None

_COLUMNS = {"event": "properties", "person": "person_properties"}
# From here on not every integer has a float of its own, and integers are compared as text.
_INEXACT = 2**53
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"


@dataclass(frozen=True)
class PropertyFilter:
    """A condition on one property of the event, or of its person as of the event.

    Values are compared as text, as a person reads them: strings without quotes, others as in the
    JSON. Against a number, `exact` and `is_not` compare as numbers, so 10 equals 10.0 and "10"
    (but integers of 2**53 and more digit by digit, so that long IDs never match a neighbour);
    `gt` and `lt` always do. `exact` and `is_not` take a list as well: any, or none, of its values.
    `icontains` and `regex` (RE2, found anywhere) look into the text. A property that is missing,
    or is JSON's null, matches `is_not_set` alone.
    """

    key: str
    type: Literal["event", "person"]
    operator: Operator
    value: Value = None

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` where operator and value do not go together."""
        if self.operator not in get_args(Operator):
            raise self._error(
                f"the operator {self.operator!r} is unknown", f"Use {', '.join(get_args(Operator))}"
            )
        if self.type not in _COLUMNS:
            raise self._error(f"the type {self.type!r} is unknown", "Use event or person")
        match self.operator:
            case "is_set" | "is_not_set":
                if self.value is not None:
                    raise self._error(f"{self.operator} takes no value", "Remove it")
            case "gt" | "lt":
                self._check_number(self.value)
            case "exact" | "is_not":
                self._check_values()
            case _:
                self._check_text()

    def _check_number(self, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(f"{value!r} is not a number", "Give a number")
        if not -sys.float_info.max <= value <= sys.float_info.max:
            raise self._error(f"{value!r} is not a finite number", "Give one within 1.8e308")

    def _check_values(self) -> None:
        if not self._values:
            raise self._error("there is no value", "Give one, or use is_set")
        for value in self._values:
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._check_number(value)
            elif not isinstance(value, str | bool):
                raise self._error(f"{value!r} is no value", "Give text, a number, true or false")

    def _check_text(self) -> None:
        if not isinstance(self.value, str):
            raise self._error(f"{self.value!r} is not text", "Give a string")
        if "regex" in self.operator:
            try:
                pc.match_substring_regex(pa.array([""]), self.value)
            except pa.ArrowInvalid as error:
                raise self._error(
                    f"{self.value!r} is not a regular expression ({error})", "Use RE2's syntax"
                ) from error

    def _error(self, problem: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(
            "filters", f"for the property {self.key!r}, {problem}.", remedy=f"{remedy}."
        )

    @property
    def _values(self) -> list[object]:
        if isinstance(self.value, Sequence) and not isinstance(self.value, str):
            return list(self.value)
        return [] if self.value is None else [self.value]

    @property
    def column(self) -> str:
        """The source's column that holds the property."""
        return _COLUMNS[self.type]

    def mask(self, batch: pa.RecordBatch) -> pa.Array:
        """True for each row that matches; never NULL."""
        raw = member(_text(batch.column(self.column)), self.key)
        if self.operator == "is_set":
            return pc.is_valid(raw)
        if self.operator == "is_not_set":
            return pc.is_null(raw)
        matches = pc.fill_null(self._matches(plain_text(raw)), False)
        return pc.and_(pc.is_valid(raw), matches)

    def _matches(self, text: pa.Array) -> pa.Array:
        match self.operator:
            case "exact":
                return self._equals_any(text)
            case "is_not":
                return pc.invert(self._equals_any(text))
            case "icontains":
                return pc.match_substring(text, str(self.value), ignore_case=True)
            case "not_icontains":
                return pc.invert(pc.match_substring(text, str(self.value), ignore_case=True))
            case "regex":
                return pc.match_substring_regex(text, str(self.value))
            case "not_regex":
                return pc.invert(pc.match_substring_regex(text, str(self.value)))
            case "gt":
                return pc.greater(_numbers(text), float(cast(float, self.value)))
            case _:
                return pc.less(_numbers(text), float(cast(float, self.value)))

    def _equals_any(self, text: pa.Array) -> pa.Array:
        matches = pc.and_(pc.is_null(text), False)
        for value in self._values:
            if isinstance(value, bool):
                equal = pc.equal(text, "true" if value else "false")
            elif isinstance(value, float) or (isinstance(value, int) and abs(value) < _INEXACT):
                equal = pc.fill_null(pc.equal(_numbers(text), float(value)), False)
            else:
                equal = pc.equal(text, str(value))
            matches = pc.or_(matches, equal)
        return matches


@dataclass(frozen=True)
class RowFilter:
    """Include, exclude and property filters, all of which a row must pass; exclude wins."""

    include_events: tuple[str, ...] = ()
    exclude_events: tuple[str, ...] = ()
    properties: tuple[PropertyFilter, ...] = ()

    @property
    def by_event(self) -> bool:
        return bool(self.include_events or self.exclude_events)

    @property
    def columns(self) -> tuple[str, ...]:
        """The source's columns that the filter reads."""
        names = ["event"] * self.by_event + [item.column for item in self.properties]
        return tuple(dict.fromkeys(names))

    def event_mask(self, events: pa.Array) -> pa.Array:
        """True for each event name that passes; an event without a name passes no include list."""
        passes = pc.is_valid(events) if self.include_events else pc.or_(True, pc.is_valid(events))
        if self.include_events:
            included = pc.is_in(events, value_set=pa.array(self.include_events, pa.string()))
            passes = pc.and_(passes, included)
        if self.exclude_events:
            excluded = pc.is_in(events, value_set=pa.array(self.exclude_events, pa.string()))
            passes = pc.and_not(passes, excluded)
        return passes

    def matching(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch, already filtered by event, that pass the property filters."""
        for item in self.properties:
            batch = batch.filter(item.mask(batch))
        return batch


def _text(values: pa.Array) -> pa.Array:
    return values.storage if isinstance(values, pa.ExtensionArray) else values


def _numbers(text: pa.Array) -> pa.Array:
    is_number = pc.match_substring_regex(text, _NUMBER)
    return pc.if_else(is_number, text, None).cast(pa.float64())
