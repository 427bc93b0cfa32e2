"""The least that a hop can cost: what others are measured against. None of it is an export."""
