"""Product-analytics data exported one data interval at a time, as partitioned Dagster assets."""

__version__ = "0.1.0"
