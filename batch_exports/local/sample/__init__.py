"""Recorded data, kept as small Parquet files. README.md says where it comes from."""
