"""Intervals that come in shards, as Dagster runs them: steps side by side, and one that commits."""
