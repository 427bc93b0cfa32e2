"""A backfill that was cancelled or had failures, taken up again."""

from datetime import datetime

import dagster as dg

from batch_exports.backfills.progress import progress
from batch_exports.backfills.proposal import Proposal, Way, propose
from batch_exports.definitions import component_tree, load_definitions
from batch_exports.errors import ConfigurationError
from batch_exports.lookup import Found, find_exports


def propose_again(instance: dg.DagsterInstance, backfill_id: str, now: datetime) -> Proposal:
    """What the backfill has not delivered, in its own order and way.

    Raises `ConfigurationError` for one that is under way, or of other assets than an export's.
    """
    found = progress(instance, backfill_id, now)
    if not found.has_ended:
        raise ConfigurationError(
            "backfill",
            f"{backfill_id!r} is under way ({found.state}).",
            remedy="Wait until it ends, or cancel it.",
        )
    if len(found.undone) != 1:
        raise ConfigurationError(
            "backfill",
            f"{backfill_id!r} is of several assets.",
            remedy="Choose in the UI: Re-execute from failure.",
        )
    ((asset, keys),) = found.undone.items()
    return propose(
        instance, _export_of(asset), keys, Way.of(found.tags), only_missing=False, now=now
    )


def _export_of(asset: dg.AssetKey) -> Found:
    tree = component_tree()
    exports = {one.export.key: one for one in find_exports(tree, load_definitions(tree))}
    if asset not in exports:
        raise ConfigurationError(
            "backfill",
            f"{asset.to_user_string()} is no export of this deployment.",
            remedy="BATCH_EXPORTS_DEFS names the folder of the exports.",
        )
    return exports[asset]
