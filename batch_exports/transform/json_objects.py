"""Columns as JSON objects (RFC 8259), a whole batch at a time, by the path that each has in them.

A path is the keys and positions that lead to a value: `address.city` is `("address", "city")`,
`phones[0].number` is `("phones", 0, "number")`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

Path: TypeAlias = tuple[str | int, ...]
_Node: TypeAlias = dict[str | int, Any]

_STEP = r"[^.\[\]]+(?:\[[0-9]{1,3}\])*"
_PATH = re.compile(rf"{_STEP}(?:\.{_STEP})*")
_PART = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")


class PathConflict(ValueError):
    """Two paths that no object can have both."""

    def __init__(self, one: Path, other: Path) -> None:
        super().__init__(f"{shown(one)!r} and {shown(other)!r} exclude one another")


def parse_path(text: str) -> Path:
    """A path out of its text. Raises ValueError for one that leads nowhere.

    Positions have three digits at most, since all before them are there as well.
    """
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is no path of keys such as address.city or phones[0].number")
    return tuple(int(at) if at else key for at, key in _PART.findall(text))


def shown(path: Path) -> str:
    """A path as text."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def check_paths(paths: Iterable[Path]) -> None:
    """Raises `PathConflict` for paths that exclude one another: `a` and `a.b`, `a[0]` and `a.b`,
    one path twice."""
    _tree(paths)


def json_objects(values: Mapping[Path, pa.Array | str], rows: int) -> pa.Array:
    """An object for each of so many rows, with the values at their paths.

    Values are JSON text, of which NULL is `null`; a text alone is the value of all rows. Keys stand
    in the order of the paths. What an array has before a position without a value is `null`. Raises
    `PathConflict`.
    """
    pieces = list(_merged(_rendered(_tree(values), values)))
    if len(pieces) == 1:
        return pa.array([pieces[0]] * rows, pa.string())
    return pc.binary_join_element_wise(*pieces, "")


def _tree(paths: Iterable[Path]) -> _Node:
    """Nested keys and positions, with the whole path where a value stands."""
    root: _Node = {}
    for path in paths:
        node: Any = root
        for depth, part in enumerate(path):
            last = depth == len(path) - 1
            if any(isinstance(part, int) != isinstance(there, int) for there in node):
                raise PathConflict(_first(node), path)
            below = node.setdefault(part, path if last else {})
            if below is not path and (last or isinstance(below, tuple)):
                raise PathConflict(_first(below), path)
            if not last:
                node = below
    return root


def _first(node: _Node | Path) -> Path:
    while isinstance(node, dict):
        node = next(iter(node.values()))
    return node


def _rendered(
    node: _Node | Path, values: Mapping[Path, pa.Array | str]
) -> Iterator[pa.Array | str]:
    if isinstance(node, tuple):
        value = values[node]
        yield value if isinstance(value, str) else pc.fill_null(value, "null")
        return
    is_array = any(isinstance(part, int) for part in node)
    parts = range(max(p for p in node if isinstance(p, int)) + 1) if is_array else node
    yield "[" if is_array else "{"
    for number, part in enumerate(parts):
        yield "," if number else ""
        yield "" if is_array else f"{json.dumps(part, ensure_ascii=False)}:"
        if part in node:
            yield from _rendered(node[part], values)
        else:
            yield "null"
    yield "]" if is_array else "}"


def _merged(pieces: Iterable[pa.Array | str]) -> Iterator[pa.Array | str]:
    """The same with texts that follow one another in one."""
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        yield text
        yield piece
        text = ""
    yield text
