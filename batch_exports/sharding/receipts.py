"""The IO manager of shards: receipts travel to the commit by the run's own event log."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

_RECEIPTS = "receipts"


class ReceiptsIOManager(dg.IOManager):
    """Keeps what a shard staged, by partition, in the metadata of its output.

    So it needs no disk that steps share, and is there for a run that goes on from a failed step of
    another one.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def handle_output(self, context: dg.OutputContext, obj: Mapping[str, Any]) -> None:
        rows = sum(staged["receipt"]["rows"] for staged in obj.values())
        context.add_output_metadata({"rows": rows, _RECEIPTS: dg.MetadataValue.json(dict(obj))})

    def load_input(self, context: dg.InputContext) -> Mapping[str, Any]:
        """What the shard's step handed over last, in the run that had it."""
        shard = context.upstream_output
        assert shard
        for entry in reversed(
            self._instance.all_logs(shard.run_id, of_type=dg.DagsterEventType.HANDLED_OUTPUT)
        ):
            event = entry.dagster_event
            if event is None or event.step_key != shard.step_key:
                continue
            kept: Any = event.event_specific_data
            receipts: Mapping[str, Any] = kept.metadata[_RECEIPTS].value
            return receipts
        raise dg.Failure(
            f"Run {shard.run_id} tells of nothing that the step {shard.step_key} staged.",
            metadata={
                "remedy": dg.MetadataValue.md(
                    "Materialize the partition again, all of it: the run's events were deleted."
                )
            },
            allow_retries=False,
        )
