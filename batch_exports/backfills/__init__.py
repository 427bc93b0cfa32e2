"""Deliveries of the past: what is asked for, what it will take, and Dagster's backfill of it."""
