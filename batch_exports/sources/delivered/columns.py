"""A selection of a model's columns, as it is found in files that an export delivered."""

from dataclasses import replace

from batch_exports.sources.source import Selection


def as_delivered(selection: Selection) -> Selection:
    """The same rows and columns where each column has the model's own name.

    The source of the first export may have called a column otherwise, or had it within another.
    """
    model = selection.model
    names = {column.source_name: column.name for column in model.columns}
    columns = {column.name: replace(column, source="", member_of=None) for column in model.columns}
    return replace(
        selection,
        model=replace(
            model,
            columns=tuple(columns.values()),
            membership=tuple(names.get(name, name) for name in model.membership),
        ),
        columns=tuple(columns[column.name] for column in selection.columns),
        membership=names.get(selection.membership, selection.membership),
    )
