"""What can be exported. One file a model; `MODELS` finds them by name."""

from batch_exports.models.amplitude_events import AMPLITUDE_EVENTS
from batch_exports.models.amplitude_merged_ids import AMPLITUDE_MERGED_IDS
from batch_exports.models.events import EVENTS
from batch_exports.models.identifies import IDENTIFIES
from batch_exports.models.model import JSON, TIMESTAMP, Column, Model, Projection
from batch_exports.models.origin import Query, Table
from batch_exports.models.persons import PERSONS
from batch_exports.models.rule import Rule
from batch_exports.models.sessions import SESSIONS
from batch_exports.models.type_names import type_name

MODELS = {
    model.name: model
    for model in (EVENTS, PERSONS, SESSIONS, AMPLITUDE_EVENTS, AMPLITUDE_MERGED_IDS, IDENTIFIES)
}

__all__ = [
    "AMPLITUDE_EVENTS",
    "AMPLITUDE_MERGED_IDS",
    "EVENTS",
    "IDENTIFIES",
    "JSON",
    "MODELS",
    "PERSONS",
    "SESSIONS",
    "TIMESTAMP",
    "Column",
    "Model",
    "Projection",
    "Query",
    "Rule",
    "Table",
    "type_name",
]
