"""Who may know whom: the library knows no Dagster, and no module imports itself in a circle."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "batch_exports"
LIBRARY = (
    "models",
    "sources",
    "transform",
    "destinations",
    "interval",
    "interval_files",
    "errors",
    "local",
)
IMPORT_ALL = """
import importlib, json, sys
named = json.loads(sys.argv[1])
for name in named:
    importlib.import_module(name)
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0].startswith("dagster"))))
"""


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@pytest.mark.parametrize("part", LIBRARY)
def test_library_imports_no_dagster(part: str) -> None:
    name = f"batch_exports.{part}"
    named = [module for module in modules() if f"{module}.".startswith(f"{name}.")]
    assert named
    command = [sys.executable, "-c", IMPORT_ALL, json.dumps(named)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_no_import_circle() -> None:
    assert circle({name: imports(name, path) for name, path in modules().items()}) is None


def test_circles_are_found() -> None:
    found = circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert found is not None
    assert set(found) == {"a", "b", "c"}


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def imports(module: str, path: Path) -> set[str]:
    """The package's modules that one imports when it runs."""
    known, found = modules(), set[str]()
    for node in at_run_time(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in known else str(node.module))
    # A package that imports its own modules is loaded before them, and may be named by them.
    return {name for name in found & known.keys() if name != module}


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module, leaving out what only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_run_time(child)
