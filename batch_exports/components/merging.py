"""Whether rows of a selection can be merged: by their versions, the newest of a key stays."""

from batch_exports.errors import ConfigurationError
from batch_exports.sources.source import Selection


def check_merge(selection: Selection) -> None:
    """Raises `ConfigurationError` for a selection without the versions to merge by."""
    if not selection.model.versions:
        raise ConfigurationError(
            "write_mode",
            f"rows of {selection.model.name} have no versions to merge by.",
            remedy="Use replace.",
        )
    names = {column.name for column in selection.columns}
    missing = [name for name in selection.model.versions if name not in names]
    if missing:
        raise ConfigurationError(
            "columns",
            f"the selection lacks {missing[0]!r}, by which rows are merged.",
            remedy=f"Add {missing[0]}, or use write_mode: replace.",
        )
