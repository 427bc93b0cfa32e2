"""A plan as text, for people."""

from collections.abc import Iterator

from batch_exports.plan import Plan, filters_in_words

_MOST_FILES = 10


def plan_text(plan: Plan) -> str:
    """All that is known, from source to destination."""
    return "\n".join(line.rstrip() for line in _lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    start, end = plan.local
    selection = plan.export.selection
    yield f"{plan.export.name}, partition {plan.partition}"
    yield f"  interval     {plan.interval}, rows by {selection.membership}"
    if plan.export.rhythm.timezone != "UTC":
        yield f"  local        {start.isoformat()} to {end.isoformat()}"
    yield f"  due          {plan.due:%Y-%m-%dT%H:%M:%SZ}"
    for filtered in filters_in_words(selection.filters):
        yield f"  filter       {filtered}"
    yield from _source(plan)
    yield from _columns(plan)
    yield from _destination(plan)
    for problem in plan.problems:
        yield f"PROBLEM  {problem}"


def _source(plan: Plan) -> Iterator[str]:
    source = plan.source
    if source is None:
        return
    yield "source"
    yield f"  from         {source.place}"
    yield f"  rows         {f'{plan.rows:,}' if plan.rows is not None else source.uncounted}"
    if source.note:
        yield f"  note         {source.note}"
    for file in source.files[:_MOST_FILES]:
        size = "" if file.bytes is None else f" ({file.bytes:,} bytes)"
        yield f"  file         {file.uri}{size}"
    if more := len(source.files) - _MOST_FILES:
        yield f"  file         and {more:,} more" if more > 0 else ""
    if source.query:
        yield "  query"
        yield from _indented(source.query)


def _columns(plan: Plan) -> Iterator[str]:
    columns = plan.columns
    widest = max(len(column["name"]) for column in columns)
    yield "columns"
    for column in columns:
        there = column["destination_type"] or "left out" if plan.destination else "not known"
        yield f"  {column['name']:<{widest}}  {column['type']} -> {there}"


def _destination(plan: Plan) -> Iterator[str]:
    there, before = plan.destination, plan.before
    if there is None:
        return
    yield "destination"
    yield f"  to           {there.place}"
    if before:
        at = f"{before.delivered_at:%Y-%m-%dT%H:%M:%SZ}"
        yield f"  there        a delivery of {before.source_rows:,} source rows, made at {at}"
    else:
        yield "  there        nothing: the interval was not delivered yet"
    if there.way:
        yield f"  way          {there.way}"
    for difference in there.differences:
        yield f"  differs      {difference}"
    for number, step in enumerate(there.steps, 1):
        yield f"  {number}. {step.what}"
        yield from _indented(step.text)


def _indented(text: str) -> Iterator[str]:
    yield from (f"     {line}" for line in text.splitlines())
