"""A lake: files in folders, on disk or on S3."""

from batch_exports.sources.lake.lake import Lake, folder_of

__all__ = ["Lake", "folder_of"]
