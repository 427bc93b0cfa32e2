"""An emulator of Amazon Redshift: a server that speaks its protocol in front of a PostgreSQL.

Nothing here ran beside a real cluster; what it refuses and answers follows AWS's documentation.
"""
