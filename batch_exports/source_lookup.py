"""A table of a warehouse among the sources of this deployment, or an export, by its name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from batch_exports.components.warehouse_table_source import WarehouseTableSource
from batch_exports.definitions import component_tree, load_definitions
from batch_exports.errors import BatchExportError, ConfigurationError
from batch_exports.lookup import Found, find_exports
from batch_exports.sources.warehouse import WarehouseTable

# Dagster finds subclasses by their base, which mypy wants to be concrete.
_TABLES: Any = WarehouseTableSource


@dataclass(frozen=True)
class FoundTable:
    """What was written of the source, and the resources of all."""

    component: WarehouseTableSource
    defined: dict[str, Any]

    @contextmanager
    def resources(self) -> Iterator[Any]:
        """Its own resource, and those that this needs. Raises what makes one impossible."""
        own = getattr(self.defined[self.component.name], "required_resource_keys", ())
        names = {self.component.name, *own}
        try:
            with dg.build_resources({name: self.defined[name] for name in names}) as resources:
                yield resources
        except dg.DagsterResourceFunctionError as error:
            if isinstance(error.__cause__, BatchExportError):
                raise error.__cause__ from None
            raise

    def reader(self, resources: Any) -> WarehouseTable:
        reader: WarehouseTable = getattr(resources, self.component.name)
        return reader


def find(name: str) -> Found | FoundTable:
    """The export, or the table, of this name. Raises `ConfigurationError` where there is neither,
    and what loading raises."""
    tree = component_tree()
    definitions = load_definitions(tree)
    tables = _tables(tree, definitions)
    exports = {found.export.name: found for found in find_exports(tree, definitions)}
    known = exports | tables
    if name not in known:
        raise ConfigurationError(
            "export",
            f"there is no export {name!r}.",
            remedy=f"There is: {', '.join(sorted(known)) or 'none'}.",
        )
    return known[name]


def find_table(name: str) -> FoundTable:
    """Raises `ConfigurationError` for a name that no WarehouseTableSource has."""
    tree = component_tree()
    known = _tables(tree, load_definitions(tree))
    if name not in known:
        raise ConfigurationError(
            "source",
            f"there is no WarehouseTableSource {name!r}.",
            remedy=f"There is: {', '.join(sorted(known)) or 'none'}.",
        )
    return known[name]


def _tables(tree: dg.ComponentTree, definitions: dg.Definitions) -> dict[str, FoundTable]:
    resources = dict(definitions.resources or {})
    return {one.name: FoundTable(one, resources) for one in tree.get_all_components(_TABLES)}
