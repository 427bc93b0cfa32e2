"""What can be exported. One file a model; `MODELS` finds them by name."""

from batch_exports.models.events import EVENTS
from batch_exports.models.model import JSON, TIMESTAMP, Column, Model, Projection

MODELS = {model.name: model for model in (EVENTS,)}

__all__ = ["EVENTS", "JSON", "MODELS", "TIMESTAMP", "Column", "Model", "Projection"]
