"""Rules of a model, a check each."""

from dataclasses import replace

import dagster as dg

from batch_exports.checks.examination import Check, Examination, Outcome
from batch_exports.models import Rule

_EXAMPLES = 5


def check_of_rule(rule: Rule) -> Check:
    """Rows that break a rule of the model are as the source has them: that is a warning."""

    def check(it: Examination) -> Outcome:
        selection = it.export.selection
        columns = {column.name: column for column in selection.model.columns}
        names = dict.fromkeys((*selection.model.key, *rule.columns))
        needed = replace(selection, columns=tuple(columns[name] for name in names))
        rows = broken = 0
        examples: list[str] = []
        with it.source.read(needed, it.interval) as batches:
            for batch in batches:
                found = batch.filter(rule.broken(batch)).select(selection.model.key)
                rows, broken = rows + batch.num_rows, broken + found.num_rows
                keys = found.slice(0, _EXAMPLES - len(examples)).to_pylist()
                examples += [", ".join(map(str, key.values())) for key in keys]
        return Outcome(
            not broken,
            f"Rows that break the rule: {broken} of {rows}, such as {examples[0]}."
            if broken
            else f"Rows that keep the rule: {rows}.",
            {"rows": rows, "broken_rows": broken, "examples": examples},
            dg.AssetCheckSeverity.WARN,
        )

    check.__doc__ = rule.description
    return check
