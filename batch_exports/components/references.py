"""Components that refer to one another by name."""

from functools import lru_cache
from typing import Any, TypeVar

import dagster as dg

from batch_exports import COMPONENTS
from batch_exports.components.yaml_component import YamlComponent
from batch_exports.errors import ConfigurationError

Named = TypeVar("Named", bound=YamlComponent)


def refuse_namesakes(tree: dg.ComponentTree) -> None:
    """Raises `InvalidComponent` for a name that two components have: nobody could tell which is
    meant."""
    known: dict[tuple[str, str], YamlComponent] = {}
    for component in tree.get_all_components(YamlComponent):  # type: ignore[type-abstract]
        other = known.setdefault((component.namespace, component.name), component)
        if other is component:
            continue
        with component.located():
            raise ConfigurationError(
                "name",
                f"{component.name!r} names the {type(other).__name__} in {other.place} too.",
                remedy="Give each component a name of its own.",
            )


def find(context: dg.ComponentLoadContext, kind: type[Named], field: str, name: str) -> Named:
    """The component of that kind and name, in whatever file it stands.

    Raises `ConfigurationError` with the names that there are.
    """
    known: dict[str, Named] = _by_name(context.component_tree, kind)
    if name in known:
        return known[name]
    names = ", ".join(sorted(known)) or "none"
    # What a kind has in common with others of its sort, such as `Source`, ends all their names.
    types = [f"batch_exports.{one}" for one in COMPONENTS if one.endswith(kind.__name__)]
    raise ConfigurationError(
        field,
        f"there is no {kind.__name__} named {name!r}.",
        remedy=f"There is: {names}. Correct the name, or define one with type: "
        f"{' or '.join(types)}.",
    )


# To look through a tree takes time in proportion to its size, and each export of it looks.
@lru_cache(maxsize=8)
def _by_name(tree: dg.ComponentTree, kind: type[Named]) -> dict[str, Any]:
    return {component.name: component for component in tree.get_all_components(kind)}
