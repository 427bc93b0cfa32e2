"""An export's columns as Dagster shows them, before the first run."""

from collections.abc import Callable

import dagster as dg

from batch_exports.export import Export
from batch_exports.models import Column


def column_schema(export: Export, column_type: Callable[[Column], str]) -> dg.TableSchema:
    """`column_type` gives a column's type at the destination."""
    key = export.selection.model.key
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column_type(column),
                column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=(column.name,) == key
                ),
            )
            for column in export.selection.columns
        ]
    )


def column_lineage(export: Export) -> dg.TableColumnLineage:
    """Where each column comes from. What another export delivered has the model's own names."""
    return dg.TableColumnLineage(
        {
            column.name: [
                dg.TableColumnDep(
                    export.source_key, column.name if export.loads_from else column.source_name
                )
            ]
            for column in export.selection.columns
        }
    )
