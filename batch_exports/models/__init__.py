"""What can be exported. One file a model; `MODELS` finds them by name."""

from batch_exports.models.events import EVENTS
from batch_exports.models.model import JSON, TIMESTAMP, Column, Model, Projection
from batch_exports.models.persons import PERSONS
from batch_exports.models.sessions import SESSIONS
from batch_exports.models.type_names import type_name

MODELS = {model.name: model for model in (EVENTS, PERSONS, SESSIONS)}

__all__ = [
    "EVENTS",
    "JSON",
    "MODELS",
    "PERSONS",
    "SESSIONS",
    "TIMESTAMP",
    "Column",
    "Model",
    "Projection",
    "type_name",
]
