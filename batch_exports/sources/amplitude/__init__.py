"""Amplitude as a source: archives that it has exported, and the API that hands them out."""

from batch_exports.sources.amplitude.api import Api
from batch_exports.sources.amplitude.archives import Archives

__all__ = ["Api", "Archives"]
