"""Batch APIs over HTTP as a destination: calls that others act upon, and a record of them on S3."""
