"""Our exports, as they are written in YAML, run by Dagster or as a library."""
