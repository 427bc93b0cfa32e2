"""Whatever fails, the table equals the source once the next run is done: on the emulator and S3."""
