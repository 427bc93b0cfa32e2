"""What happens to record batches between a source and a destination."""
