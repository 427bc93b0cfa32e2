"""Pages about rows: the columns they have, the filters they pass, the checks they stand."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import get_args

import pyarrow as pa

from batch_exports.checks import (
    CHECKS,
    CHECKS_OF_MERGES,
    CHECKS_OF_RESOLVED,
    CHECKS_OF_SYNCS,
    CHECKS_OF_VOLUME,
    ON_DEMAND,
)
from batch_exports.components.event_filters import PropertyFilterModel
from batch_exports.destinations.postgres import types as postgres_types
from batch_exports.destinations.redshift import types as redshift_types
from batch_exports.models import JSON, MODELS, Column, Model, type_name
from batch_exports.transform.filters import Operator, PropertyFilter, Value
from docs.fields import code, field_table, paragraphs, table

# Each of these is tried on the properties below, by the filter itself.
_EXAMPLES: Mapping[Operator, tuple[Value, ...]] = {
    "exact": ("Pro", 10, ["Pro", "10.0"]),
    "is_not": ("Pro", 10),
    "icontains": ("pr",),
    "not_icontains": ("pr",),
    "regex": ("^P", "[0-9]"),
    "not_regex": ("^P",),
    "gt": (9,),
    "lt": (11,),
    "is_set": (None,),
    "is_not_set": (None,),
}
_TABLE_TYPES: Mapping[str, Callable[[Column], str]] = {
    "postgres": postgres_types.made_type,
    "redshift": redshift_types.made_type,
}

_MODELS = """
# Models

What can be exported. `columns` of an export may name any of a model's columns, in any order; it
must name the key. Without it an export has the columns that are marked for its destination.

Rows of a model with versions change over time. Of several with one key, the newest is the one whose
versions are the greatest, compared one after the other.

How each `type` is written to files: [files](s3-files.md#types). Types of a table are those of
tables that an export makes.
""".strip()
_PROPERTIES = ('{"p": "Pro"}', '{"p": "10"}', '{"p": 10.0}', '{"p": null}', "{}")


def models() -> str:
    return "\n\n".join([_MODELS, *(_model(model) for model in MODELS.values())])


def filters() -> str:
    return f"""
# Filters

`include_events` and `exclude_events` list names of events; a name in both is excluded. `filters`
lists conditions on properties. A row is exported if it passes all of them.

```yaml
include_events: ["purchase", "$pageview"]
exclude_events: ["$feature_flag_called"]
filters:
  - {{key: $browser, type: event, operator: exact, value: [Chrome, Firefox]}}
  - {{key: plan, type: person, operator: is_set}}
```

`type: event` looks into `properties`, `type: person` into `person_properties`: the person's
properties at the time of the event. `key` is the name of a property of the object itself, not of
one nested in it.

{field_table(PropertyFilterModel.model_fields)}

{paragraphs(PropertyFilter.__doc__).partition(chr(10))[2].strip()}

## Operators

Each operator, tried on five rows. This table is computed by the filters themselves.

{table(("operator", "value", *(code(p) for p in _PROPERTIES)), _operators())}
"""


def checks() -> str:
    rows = [
        (code(name), paragraphs(check.__doc__))
        for name, check in {
            **CHECKS,
            **CHECKS_OF_MERGES,
            **CHECKS_OF_RESOLVED,
            **CHECKS_OF_SYNCS,
            **CHECKS_OF_VOLUME,
            **ON_DEMAND,
        }.items()
    ]
    rules = [(r.name, m.name) for m in MODELS.values() for r in m.rules]
    of_rules = "\n".join(
        f"- `{rule}`, of exports of {code(model)}, warns where rows break the "
        f"[rule](models.md#{model}) of that name: they are delivered as the source has them."
        for rule, model in rules
    )
    return f"""
# Checks

Every export has these asset checks. Each but `content` is run for a partition right after its
delivery. Each can be run alone in the Dagster UI, and reads the destination anew.

{table(("check", "passes when"), rows)}

- `row_count` counts at the source by a way of its own, not from what was read. On S3 it compares
  size and ETag of every object with the manifest, and counts rows by the footers of Parquet files.
  Rows of JSON lines are counted only with `verify: deep`, which reads every object whole and
  compares its SHA-256; without it, metadata says `landed_rows: not counted`.
  Of Redshift it tells of rows that were
  [left behind or taken over](redshift-write-modes.md#by-keys-alone) as well.
  Over HTTP nothing can be counted where it went: message IDs made of the source's keys are compared
  with those of [the record](http-endpoints.md#the-record), and `keys` looks at the source's.
- `schema` reads the schema of every Parquet file, and the first lines of every JSON lines file.
- `schema_drift` compares what both ends have with what was
  [approved](../howto/watching.md#has-a-column-changed): the first delivery, or somebody by
  `batch-exports approve`. A drift that no exported column is part of is a warning.
- `keys` reads the key columns of every row, and with them the versions of a model that has any: on
  S3, versions of one row may share an interval. It tells of keys that stand twice within one
  interval, not across intervals.
- `cycles` belongs to exports with a `resolved_view`, and tells of all intervals together.
- `values` warns where values were replaced, and fails where rows were rejected: see
  [rejects](../howto/rejects.md).
- `volume` belongs to exports with a field `volume`, and `content` is run when somebody asks for it:
  see [watching](../howto/watching.md).
- `freshness`, of exports with a field `fresh_within`, is of the export as a whole, and told by a
  sensor: [the newest interval is there in time](../howto/watching.md#is-the-newest-interval-there).
{of_rules}

A failed check marks the partition; the delivery stays as it is. A partition that was never
delivered fails its checks, with the remedy.
"""


def _model(model: Model) -> str:
    rows = [_column(model, column) for column in model.columns]
    defaults = (f"{kind} default" for kind in model.default_columns)
    types = (f"{kind} type" for kind in _TABLE_TYPES)
    versions = f"\nVersions: {_codes(model.versions)}.\n" if model.versions else ""
    return f"""
## {model.name}

{model.description}

Key: {_codes(model.key)}.
{versions}
Membership (what may place a row in an interval): {_codes(model.membership)}; the first is the
default.

{table(("column", "type", "null", *defaults, *types, "meaning"), rows)}
{_rules(model)}
Where a source calls a column differently or lacks it:

{_sourcing(model)}
""".strip()


def _rules(model: Model) -> str:
    """What each row must keep; nothing for a model that has no rules."""
    if not model.rules:
        return ""
    told = "\n".join(f"- `{rule.name}`: {rule.description}" for rule in model.rules)
    return f"\nEach row must keep, as a [check](checks.md) of the same name tells:\n\n{told}\n"


def _column(model: Model, column: Column) -> tuple[str, ...]:
    return (
        code(column.name),
        code(type_name(column.type)),
        "yes" if column.nullable else "no",
        *("yes" if column.name in names else "" for names in model.default_columns.values()),
        *(code(made(column)) for made in _TABLE_TYPES.values()),
        column.description,
    )


def _codes(names: Iterable[str]) -> str:
    return ", ".join(map(code, names))


def _sourcing(model: Model) -> str:
    lines = []
    for column in model.columns:
        if column.source:
            lines.append(f"- `{column.name}` is read from the source's `{column.source}`.")
        if column.member_of:
            parent, member = column.member_of
            lines.append(f"- `{column.name}` is taken from `{member}` in `{parent}`.")
    optional = [column.name for column in model.columns if column.optional]
    if optional:
        lines.append(f"- Without them in the source, {_codes(optional)} are NULL.")
    return "\n".join([*lines, "- Any other column must be there: else the run fails, and says so."])


def _operators() -> list[tuple[str, ...]]:
    return [
        (code(operator), *_tried(operator, value))
        for operator in get_args(Operator)
        for value in _EXAMPLES[operator]
    ]


def _tried(operator: Operator, value: Value) -> tuple[str, ...]:
    storage = pa.array(_PROPERTIES, pa.string())
    batch = pa.RecordBatch.from_arrays(
        [pa.ExtensionArray.from_storage(JSON, storage)], names=["properties"]
    )
    mask = PropertyFilter("p", "event", operator, value).mask(batch).to_pylist()
    shown = "" if value is None else code(json.dumps(value))
    return (shown, *("match" if matches else "" for matches in mask))
