"""Which checks an export has."""

from collections.abc import Mapping

from batch_exports.checks.content import check_content
from batch_exports.checks.cycles import check_cycles
from batch_exports.checks.examination import Check
from batch_exports.checks.keys import check_keys
from batch_exports.checks.row_count import check_row_count
from batch_exports.checks.rules import check_of_rule
from batch_exports.checks.schema import check_schema
from batch_exports.checks.schema_drift import check_schema_drift
from batch_exports.checks.source_rows import check_source_rows
from batch_exports.checks.values import check_values
from batch_exports.checks.versions import check_versions
from batch_exports.checks.volume import check_volume
from batch_exports.export import Export
from batch_exports.models import IDENTIFIES

SCHEMA_DRIFT = "schema_drift"
CHECKS: Mapping[str, Check] = {
    "row_count": check_row_count,
    "schema": check_schema,
    SCHEMA_DRIFT: check_schema_drift,
    "keys": check_keys,
    "values": check_values,
}
CHECKS_OF_MERGES: Mapping[str, Check] = {"versions": check_versions}
CHECKS_OF_RESOLVED: Mapping[str, Check] = {"cycles": check_cycles}
CHECKS_OF_SYNCS: Mapping[str, Check] = {"source_rows": check_source_rows}
CHECKS_OF_VOLUME: Mapping[str, Check] = {"volume": check_volume}
CONTENT = "content"
ON_DEMAND: Mapping[str, Check] = {CONTENT: check_content}
"""Those that are run when somebody asks for them, and not after each delivery."""


def checks_of(export: Export) -> Mapping[str, Check]:
    """The checks of an export's deliveries, by name."""
    of_merges = CHECKS_OF_MERGES if export.merges else {}
    of_resolved = CHECKS_OF_RESOLVED if export.resolves else {}
    is_synced = export.selection.model.name == IDENTIFIES.name and not export.loads_from
    of_syncs = CHECKS_OF_SYNCS if is_synced else {}
    of_volume = CHECKS_OF_VOLUME if export.volume_tolerance is not None else {}
    # What another export delivered has been checked there, and may lack the rules' columns.
    rules = () if export.loads_from else export.selection.model.rules
    of_rules = {rule.name: check_of_rule(rule) for rule in rules}
    return {**CHECKS, **of_merges, **of_resolved, **of_syncs, **of_volume, **of_rules}
