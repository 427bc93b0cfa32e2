"""A model under other names of its columns, as a destination gives them."""

from collections.abc import Callable
from dataclasses import replace

from batch_exports.models.model import Model


def renamed(model: Model, name: Callable[[str], str]) -> Model:
    """The model with each of its columns called by `name`, and read from where it was.

    No two may get the same. The model itself where nothing changes.
    """
    if all(name(column.name) == column.name for column in model.columns):
        return model
    return replace(
        model,
        columns=tuple(
            replace(column, name=name(column.name), source=column.source_name)
            for column in model.columns
        ),
        key=tuple(map(name, model.key)),
        versions=tuple(map(name, model.versions)),
        order=tuple(map(name, model.order)),
        default_columns={
            kind: tuple(map(name, names)) for kind, names in model.default_columns.items()
        },
    )
