"""No row is lost or added between the source and where it landed."""

from batch_exports.checks.examination import Examination, Outcome
from batch_exports.destinations.delivery import Delivery, Landed


def check_row_count(it: Examination) -> Outcome:
    """Rows in the source = rows delivered and rejected = rows that the destination holds."""
    in_source = it.source.count(it.export.selection, it.interval)
    landed = it.destination.inspect(it.interval, deep=it.deep, source_keys=it.source_keys)
    delivery = landed.delivery
    problems = list(landed.problems)
    if in_source != delivery.source_rows:
        problems.append(
            f"The source has {in_source} rows; {delivery.rows} were delivered"
            f"{_left_out(delivery)}. Rows may have come late: materialize again."
        )
    counted = "not counted" if landed.rows is None else landed.rows
    return Outcome(
        not problems,
        " ".join(problems) or _reconciled(in_source, landed),
        {
            "source_rows": in_source,
            "delivered_rows": delivery.rows,
            "rejected_rows": delivery.rejected,
            "landed_rows": counted,
        },
    )


def _reconciled(in_source: int, landed: Landed) -> str:
    """What was compared, and nothing else."""
    text = f"Rows in the source: {in_source}, and as many in the record{_left_out(landed.delivery)}"
    if landed.rows is None:
        return f"{text}; {landed.compared}."
    return f"{text}; counted where they landed: {landed.rows}."


def _left_out(delivery: Delivery) -> str:
    parts = {"rejected": delivery.rejected, "skipped": delivery.skipped}
    return "".join(f", {rows} {what}" for what, rows in parts.items() if rows)
