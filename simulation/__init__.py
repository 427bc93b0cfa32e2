"""Exports run for long, in short: Dagster and batch_exports as they are, under a clock that jumps.

`python -m simulation year` runs a deployment through a year with all that goes wrong in one, and
compares every partition with its source, and every alert with what people should be told.
`python -m simulation soak` runs 24 hours in which nothing goes wrong.
`python -m simulation scale` runs a day of the scheduler at any size, without the data.
"""
