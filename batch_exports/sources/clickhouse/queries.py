"""Which query gives the rows of a model, and which one counts them."""

from collections.abc import Callable, Mapping

from batch_exports.errors import Terminal
from batch_exports.models import EVENTS, PERSONS, SESSIONS, Query, Table
from batch_exports.sources.clickhouse import declared, events, persons, sessions
from batch_exports.sources.clickhouse.counting import SEGMENT
from batch_exports.sources.clickhouse.statement import Statement
from batch_exports.sources.projection import columns_to_read
from batch_exports.sources.source import Selection

MODELS = (EVENTS, PERSONS, SESSIONS)


def reading(
    selection: Selection, describe: Callable[[Table | Query], Mapping[str, str]], where: str
) -> Statement:
    """The query for the rows of an interval. `describe` tells a relation's columns and types.

    Its columns have the source's names. Raises `Terminal` for one that is not there.
    """
    model, membership = selection.model, selection.membership
    if model.origin:
        types = describe(model.origin)
        return declared.read(selection, declared.needed(selection, types, where), types, where)
    match model.name:
        case EVENTS.name:
            names = columns_to_read(selection, events.AVAILABLE, where)
            return events.read(names, membership, selection.filters)
        case PERSONS.name:
            return persons.read(columns_to_read(selection, persons.AVAILABLE, where), membership)
        case SESSIONS.name:
            told = sessions.available(describe(Table(sessions.TABLE)))
            return sessions.read(columns_to_read(selection, told, where), told, membership)
    raise _unknown(model.name)


def counting(selection: Selection) -> Statement:
    """The query for how many rows there are in each `segment` of time; filters by properties are
    not in it."""
    model, membership = selection.model, selection.membership
    if model.origin:
        return declared.count(selection, SEGMENT)
    match model.name:
        case EVENTS.name:
            return events.count(membership, selection.filters, SEGMENT)
        case PERSONS.name:
            return persons.count(membership, SEGMENT)
        case SESSIONS.name:
            return sessions.count(membership, SEGMENT)
    raise _unknown(model.name)


def _unknown(name: str) -> Terminal:
    there = ", ".join(model.name for model in MODELS)
    return Terminal(
        f"ClickHouse has no {name} of its own.",
        remedy=f"It has {there}. Declare a model of a table or a query for others.",
    )
