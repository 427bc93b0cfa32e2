"""Whether what was delivered is what was in the lake, and if not, what became of it.

Read by DuckDB from files and by SQL from tables, with none of the code that delivers. First sums of
hashes are compared, a column at a time; then, where they differ, the values of some rows.
"""
