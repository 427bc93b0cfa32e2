"""The columns of what landed."""

import dagster as dg

from batch_exports.checks.examination import Examination, Outcome


def check_schema(it: Examination) -> Outcome:
    """Columns and types in the data are those of the export."""
    found = it.landed_columns
    said = " ".join([*found.problems, *found.warnings])
    severity = dg.AssetCheckSeverity.ERROR if found.problems else dg.AssetCheckSeverity.WARN
    return Outcome(
        not said,
        said or f"All {len(found.types)} columns are as they should be.",
        {
            "columns": dg.MetadataValue.table_schema(
                dg.TableSchema([dg.TableColumn(n, t) for n, t in found.types.items()])
            )
        },
        severity,
    )
