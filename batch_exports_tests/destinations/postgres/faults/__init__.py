"""Whatever fails, the table equals the source once the next run is done: on real servers."""
