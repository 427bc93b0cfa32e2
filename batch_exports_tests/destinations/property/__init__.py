"""A property test's parts: a source, an export with its runs, and what must be there."""
