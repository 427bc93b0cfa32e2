"""What users write in YAML. Each component is also an attribute of `batch_exports`."""
