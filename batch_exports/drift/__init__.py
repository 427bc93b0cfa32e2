"""Columns at both ends of an export, held against those that somebody approved."""
