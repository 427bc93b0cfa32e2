"""Pydantic's fields as Markdown."""

import json
import types
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

_NAMES: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true`, `false`",
}
_NAMES_OF_CLASSES = {
    "Secret": "`{env: NAME}`",
    "PropertyFilterModel": "[filters](filters.md)",
    "NoRunWindowModel": "[windows](#no_run_windows)",
}


def field_table(fields: Mapping[str, FieldInfo]) -> str:
    """One line a field: how it is written in YAML, what may stand there, what it means."""
    rows = [
        (code(info.alias or name), _value(info.annotation), _default(info), info.description or "")
        for name, info in fields.items()
    ]
    return table(("field", "value", "default", "meaning"), rows)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: object) -> str:
    return f"`{text}`"


def paragraphs(docstring: str | None) -> str:
    """A docstring as Markdown: each paragraph on one line."""
    text = (docstring or "").strip()
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def _value(annotation: Any) -> str:
    return " or ".join(_kinds(annotation))


def _kinds(kind: Any) -> list[str]:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is types.NoneType:
        return []
    if origin in (Union, types.UnionType):
        # A number in the place of text is 22:00 without quotes, which is refused with a remedy.
        parts = [part for part in inner if part is not int or str not in inner]
        return [name for part in parts for name in _kinds(part)]
    if origin is Literal:
        return [", ".join(code(value) for value in inner)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [", ".join(code(member.value) for member in kind)]
    if origin is list:
        return [f"list of {_value(inner[0])}"]
    if kind is Any:
        return ["any"]
    name = getattr(kind, "__name__", "mapping")
    return [_NAMES.get(kind) or _NAMES_OF_CLASSES.get(name, "mapping")]


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default = info.default.value if isinstance(info.default, Enum) else info.default
    if default is None:
        return ""
    return code(default if isinstance(default, str) else json.dumps(default))
