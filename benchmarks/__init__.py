"""Exports beside their peers and the least that each hop can cost, on the same rows."""
