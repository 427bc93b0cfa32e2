"""Where a model's rows come from. One file or folder a source."""
