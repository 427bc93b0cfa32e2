"""What a user writes of how a table's columns become an event: identifiers, traits, constants."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from batch_exports.errors import ConfigurationError
from batch_exports.sources.warehouse.mapping import EventMapping
from batch_exports.transform.json_objects import Path, PathConflict, check_paths, parse_path

# What an event has at its root in any case, of which a constant would be another.
_OF_EVENT = (
    *("type", "userId", "anonymousId", "traits", "messageId", "recordId", "channel"),
    *("timestamp", "originalTimestamp", "sentAt", "receivedAt"),
)


_FIELDS = {"column", "trait"}


def event_mapping(
    key: Sequence[str],
    identifiers: Mapping[str, str],
    columns: Sequence[str | Mapping[str, str]],
    constants: Mapping[str, Any],
) -> EventMapping:
    """Raises `ConfigurationError` for what can be known to be wrong without the table."""
    _check_key(key)
    traits = _traits(columns, identifiers)
    plain, dotted = _constants(constants)
    written = {path: f"constants.{shown}" for shown, path in _paths(constants).items()}
    for number, (name, path) in enumerate(traits):
        written.setdefault(path, f"columns.{number}")
        _check_apart([p for _, p in traits[: number + 1]], f"columns.{number}", name)
    if traits:
        for path in plain:
            _check_apart([*(p for _, p in traits), path], written[path], "the constant")
    return EventMapping(tuple(key), identifiers, traits, plain, dotted)


def _check_key(key: Sequence[str]) -> None:
    if not key:
        raise ConfigurationError(
            "primary_key", "it is empty.", remedy="Name the columns that tell rows apart."
        )
    if twice := [name for name in key if key.count(name) > 1]:
        raise ConfigurationError(
            "primary_key", f"{twice[0]!r} is named twice.", remedy="Name each column once."
        )


def _traits(
    columns: Sequence[str | Mapping[str, str]], identifiers: Mapping[str, str]
) -> tuple[tuple[str, Path], ...]:
    traits: list[tuple[str, Path]] = []
    for number, column in enumerate(columns):
        if isinstance(column, str):
            traits.append((column, (column,)))
            continue
        field = f"columns.{number}"
        if set(column) != _FIELDS:
            raise ConfigurationError(
                field,
                f"it has the fields {', '.join(column) or 'of none'}.",
                remedy="Write it as {column: ..., trait: ...}, or as the column's name alone.",
            )
        if what := [w for w, name in identifiers.items() if name == column["column"]]:
            raise ConfigurationError(
                field,
                f"{column['column']!r} is the {what[0]}, and so no trait.",
                remedy=f"Leave it out here, or name another column for {what[0]}.",
            )
        traits.append((column["column"], _parsed(field, column["trait"])))
    return tuple(traits)


def _constants(constants: Mapping[str, Any]) -> tuple[dict[Path, str], dict[Path, str]]:
    """Those among the traits, and those with a dotted key, at the event's root."""
    plain: dict[Path, str] = {}
    dotted: dict[Path, str] = {}
    for text, path in _paths(constants).items():
        value = json.dumps(constants[text], ensure_ascii=False, separators=(",", ":"))
        if "." not in text:
            plain[path] = value
            continue
        if path[0] in _OF_EVENT:
            raise ConfigurationError(
                "constants",
                f"{text!r} would change {path[0]}, which the event has of its own.",
                remedy="A key without a dot stands among the traits; others have another root.",
            )
        dotted[path] = value
    for paths in (plain, dotted):
        _check_apart(list(paths), "constants", "a constant")
    return plain, dotted


def _paths(constants: Mapping[str, Any]) -> dict[str, Path]:
    return {text: _parsed("constants", text) for text in constants}


def _parsed(field: str, text: str) -> Path:
    try:
        return parse_path(text)
    except ValueError as error:
        raise ConfigurationError(
            field,
            f"{error}.",
            remedy="Write keys with dots between, and positions of up to three digits in brackets.",
        ) from error


def _check_apart(paths: Sequence[Path], field: str, what: str) -> None:
    try:
        check_paths(paths)
    except PathConflict as conflict:
        raise ConfigurationError(
            field, f"{conflict}.", remedy=f"Give {what} another trait."
        ) from conflict
