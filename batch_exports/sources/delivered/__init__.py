"""What another export delivered, as a source: its files, an interval at a time."""

from batch_exports.sources.delivered.delivered import DeliveredFiles

__all__ = ["DeliveredFiles"]
