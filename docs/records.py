"""What the columns of ledger and rejects mean, and statements as Markdown."""

import re
from collections.abc import Iterable, Mapping

from batch_exports.models import MODELS
from docs.fields import code

LEDGER: Mapping[str, str] = {
    "table_name": "the table",
    "export": "the export's name",
    "interval_start": "the data interval, from here",
    "interval_end": "to before here",
    "membership": "the source's column that placed rows in the interval",
    "run_id": "the Dagster run that delivered",
    "rows": "rows that were delivered",
    "changed": "rows of the table that they changed: fewer, where they are merged",
    "rejected": "rows that the table cannot hold",
    "replaced": "rows delivered with U+FFFD in the place of what it cannot hold",
    "delivered_at": "when the transaction began",
}
REJECTS: Mapping[str, str] = {
    "export": "the export's name",
    "interval_start": "the data interval, from here",
    "interval_end": "to before here",
    "run_id": "the Dagster run that delivered",
    "action": "`rejected`: the row is not in the table; `replaced`: it is, with U+FFFD",
    "column_name": "the column whose value cannot be held",
    "reason": "why",
    "row_key": "the model's key, and the row's versions",
    "original": "the value as it came: byte for byte, if it is text",
    "row": "the whole row, for reading",
}


def sql(statements: Iterable[str]) -> str:
    return "```sql\n" + "\n".join(statements) + "\n```"


def described(definition: str, meanings: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Each column of a CREATE TABLE with its meaning. Raises KeyError for one without."""
    found = re.findall(
        r'^    "?([a-z_0-9]+)"? ([A-Z0-9\[\]]+(?:\(\d+\))?(?: WITH TIME ZONE)?)', definition, re.M
    )
    return [(code(name), code(type_), meanings[name]) for name, type_ in found]


def versions() -> str:
    """By which columns rows of a key are told apart, of each model that has such."""
    return "\n".join(
        f"- {model.name}: {', then '.join(map(code, model.versions))}"
        for model in MODELS.values()
        if model.versions
    )


def default_for() -> dict[str, str]:
    """The models that a write mode is the default of, by mode."""
    modes: dict[str, list[str]] = {"replace": [], "merge": [], "append": []}
    for model in MODELS.values():
        modes["merge" if model.versions else "replace"].append(model.name)
    return {mode: ", ".join(names) for mode, names in modes.items()}
