"""An export that loads what another one has delivered: what must be the same of both."""

from typing import Any

import dagster as dg

from batch_exports.components.references import find
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export
from batch_exports.models import Model


def find_loaded(context: dg.ComponentLoadContext, kind: Any, name: str) -> Export:
    """The export of that name among those of the `kind` of all exports.

    Raises `ConfigurationError` for one that delivers no files, or that itself loads from another.
    """
    loaded = find(context, kind, "load_from", name)
    if not loaded.delivers_files or loaded.load_from is not None:
        reason = f"loads from {loaded.load_from} itself" if loaded.load_from else "has no files"
        raise ConfigurationError(
            "load_from",
            f"the {type(loaded).__name__} {name!r} {reason}.",
            remedy=f"Name {loaded.load_from or 'an S3BatchExport'}.",
        )
    loaded.look_up(context)
    export: Export = loaded.export()
    return export


def loaded_model(loaded: Export, named: str | None) -> Model:
    """The model of a load: that of the export it loads from, which the user may have `named`."""
    model = loaded.selection.model
    if named is not None and named != model.name:
        raise ConfigurationError(
            "model", f"{loaded.name} delivers {model.name}.", remedy="Leave it out."
        )
    return model


def check_load(load: Export, loaded: Export) -> None:
    """Raises `ConfigurationError`, naming the field of the load, for one that cannot be made of
    whole deliveries of the other export."""
    _check_rows(load, loaded)
    _check_time(load, loaded)


def _check_rows(load: Export, loaded: Export) -> None:
    membership = loaded.selection.membership
    if load.selection.membership != membership:
        raise ConfigurationError(
            "membership",
            f"{loaded.name} places rows in intervals by {membership!r}, not by "
            f"{load.selection.membership!r}.",
            remedy="Leave it out.",
        )
    if loaded.selection.membership_column is None:
        raise ConfigurationError(
            "load_from",
            f"{loaded.name} does not deliver {membership!r}, which places rows in intervals.",
            remedy=f"Add it to the columns of {loaded.name}, and deliver its partitions again.",
        )
    delivered = [column.name for column in loaded.selection.columns]
    wanted = [column.name for column in load.selection.columns]
    if missing := [name for name in wanted if name not in delivered]:
        raise ConfigurationError(
            "columns",
            f"{loaded.name} does not deliver {missing[0]!r}.",
            remedy=f"It delivers {', '.join(delivered)}.",
        )
    if missing := [name for name in load.selection.filters.columns if name not in delivered]:
        raise ConfigurationError(
            "filters",
            f"they need {missing[0]!r}, which {loaded.name} does not deliver.",
            remedy=f"Add it to the columns of {loaded.name}, or leave the filter out.",
        )


def _check_time(load: Export, loaded: Export) -> None:
    if load.rhythm.timezone != loaded.rhythm.timezone:
        raise ConfigurationError(
            "timezone",
            f"it is {load.rhythm.timezone}, and that of {loaded.name} {loaded.rhythm.timezone}.",
            remedy="Give both the same.",
        )
    if not loaded.rhythm.divides(load.rhythm):
        raise ConfigurationError(
            "interval",
            f"its intervals are not made of whole ones of {loaded.name}.",
            remedy="Give one that is a multiple of that export's; a cron expression must be the "
            "same.",
        )
    _check_bounds(load, loaded)
    if load.delay <= loaded.delay:
        waits = loaded.delay.total_seconds()
        raise ConfigurationError(
            "delay_seconds",
            f"{load.delay.total_seconds():.0f} leaves {loaded.name} no time to deliver: it waits "
            f"{waits:.0f} seconds itself.",
            remedy=f"Give the seconds after which it has delivered, such as {waits + 120:.0f}.",
        )


def _check_bounds(load: Export, loaded: Export) -> None:
    first, last = loaded.partitions.start, loaded.partitions.end
    if load.partitions.start.timestamp() < first.timestamp():
        raise ConfigurationError(
            "start",
            f"{loaded.name} begins with {first:%Y-%m-%dT%H:%M}.",
            remedy="Begin no earlier.",
        )
    ends = load.partitions.end
    if last and (ends is None or ends.timestamp() > last.timestamp()):
        raise ConfigurationError(
            "end", f"{loaded.name} ends with {last:%Y-%m-%dT%H:%M}.", remedy="End no later."
        )
