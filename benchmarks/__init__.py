"""Exports beside their peers and the physical limit, on the same rows in the same run."""
