"""The exports of this deployment, each with what it needs, and one by its name."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from batch_exports.components.batch_export import BatchExport
from batch_exports.components.source import Source
from batch_exports.definitions import component_tree, load_definitions
from batch_exports.errors import BatchExportError, ConfigurationError
from batch_exports.export import Export

# Dagster finds subclasses by their base, which mypy wants to be concrete.
_ANY_EXPORT: Any = BatchExport
_ANY_SOURCE: Any = Source


@dataclass(frozen=True)
class Found:
    """What was written of the export and its source, which may be another export, the export as it
    runs, and the resources of all exports."""

    component: BatchExport
    source: Source | BatchExport
    export: Export
    defined: dict[str, Any]

    @contextmanager
    def resources(self, names: Collection[str]) -> Iterator[Any]:
        """The resources of these names, with those that they need themselves.

        Raises what makes one of them impossible, such as missing credentials.
        """
        wanted = {name: self.defined[name] for name in self._with_their_own(names)}
        try:
            with dg.build_resources(wanted) as resources:
                yield resources
        except dg.DagsterResourceFunctionError as error:
            if isinstance(error.__cause__, BatchExportError):
                raise error.__cause__ from None
            raise

    def _with_their_own(self, names: Collection[str]) -> set[str]:
        own = (getattr(self.defined[name], "required_resource_keys", ()) for name in names)
        return {*names, *(name for keys in own for name in keys)}


def find_export(name: str) -> Found:
    """Raises `ConfigurationError` for a name that no export has, and what loading raises."""
    return find_export_among_all(name)[0]


def find_export_among_all(name: str) -> tuple[Found, dg.Definitions]:
    """The export, and all that was loaded to find it. Raises as `find_export`."""
    tree = component_tree()
    definitions = load_definitions(tree)
    exports = {found.export.name: found for found in find_exports(tree, definitions)}
    if name not in exports:
        raise ConfigurationError(
            "export",
            f"there is no export {name!r}.",
            remedy=f"There is: {', '.join(sorted(exports)) or 'none'}.",
        )
    return exports[name], definitions


def find_exports(tree: dg.ComponentTree, definitions: dg.Definitions) -> list[Found]:
    """All exports of a tree that was loaded to these definitions."""
    exports: list[BatchExport] = tree.get_all_components(_ANY_EXPORT)
    sources = {one.name: one for one in [*tree.get_all_components(_ANY_SOURCE), *exports]}
    resources = dict(definitions.resources or {})
    found = [(component, component.export()) for component in exports]
    return [
        Found(component, sources[export.source], export, resources) for component, export in found
    ]
