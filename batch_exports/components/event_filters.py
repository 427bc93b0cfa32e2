"""Which events an export takes: by their names, and by properties."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from batch_exports.components.yaml_component import YamlModel
from batch_exports.errors import ConfigurationError
from batch_exports.models import Model
from batch_exports.transform.filters import Operator, PropertyFilter, RowFilter


class PropertyFilterModel(YamlModel):
    """A condition on a property; see the reference of filters."""

    key: str = Field(description="Name of the property.")
    type: Literal["event", "person"] = Field(
        "event",
        description="event: the event's own properties; person: its person's, as of the event.",
    )
    operator: Operator = Field("exact", description="How the property is compared with the value.")
    value: Any = Field(
        None, description="Text, number, true, false or a list; none for is_set and is_not_set."
    )


def row_filter(
    model: Model,
    include_events: Sequence[str],
    exclude_events: Sequence[str],
    filters: Sequence[PropertyFilterModel],
) -> RowFilter:
    """Raises `ConfigurationError` for any of these with a model that has no events."""
    given = {
        "include_events": include_events,
        "exclude_events": exclude_events,
        "filters": filters,
    }
    if not model.has_events and (field := next((n for n, v in given.items() if v), None)):
        raise ConfigurationError(
            field, f"the model {model.name} has no events to filter.", remedy="Leave it out."
        )
    return RowFilter(
        tuple(include_events),
        tuple(exclude_events),
        tuple(PropertyFilter(f.key, f.type, f.operator, f.value) for f in filters),
    )
