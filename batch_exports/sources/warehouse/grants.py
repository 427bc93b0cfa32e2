"""What the user of a source has to be granted, in the words and the order of RudderStack's guide.

https://www.rudderstack.com/docs/sources/reverse-etl/amazon-redshift/
"""

from dataclasses import dataclass

from psycopg import sql

from batch_exports.destinations.postgres.table import TableName


@dataclass(frozen=True)
class Grants:
    """Statements for an administrator, each without its semicolon."""

    user: str
    table: TableName
    state_schema: str

    @property
    def create_state_schema(self) -> str:
        return f"CREATE SCHEMA {_quoted(self.state_schema)}"

    @property
    def use_state_schema(self) -> str:
        return f"GRANT ALL ON SCHEMA {_quoted(self.state_schema)} TO {self._user}"

    @property
    def use_state(self) -> str:
        return (
            f"GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA {_quoted(self.state_schema)} "
            f"TO {self._user}"
        )

    @property
    def use_schema(self) -> str:
        return f"GRANT USAGE ON SCHEMA {_quoted(self.table.schema)} TO {self._user}"

    @property
    def read_table(self) -> str:
        return f"GRANT SELECT ON TABLE {self.table.sql.as_string()} TO {self._user}"

    @property
    def read_all_tables(self) -> str:
        return f"GRANT SELECT ON ALL TABLES IN SCHEMA {_quoted(self.table.schema)} TO {self._user}"

    @property
    def read_future_tables(self) -> str:
        return (
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {_quoted(self.table.schema)} "
            f"GRANT SELECT ON TABLES TO {self._user}"
        )

    @property
    def _user(self) -> str:
        return _quoted(self.user)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()
