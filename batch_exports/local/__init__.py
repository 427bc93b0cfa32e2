"""The embedded parts: what an export needs around it, started on this machine with no installation.

`parts` brings them up and down as a whole. Each part is a file: `s3` (a SeaweedFS server with a
bucket), `postgres` (a PostgreSQL server with a schema), `redshift` (an emulator of Redshift before
that server) and `lake` (sample data in files).
"""
