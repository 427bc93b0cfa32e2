"""What a user may not do, as the statement that allows it."""

import re

from psycopg import sql

# PostgreSQL's texts of SQLSTATE 42501 (aclchk.c, namespace.c, postinit.c, execMain.c), each with
# the statement that an administrator runs. They name a table without its schema, and no privilege:
# the statement grants all that exports need of such an object.
_STATEMENTS = (
    (r"permission denied for schema (.+)", "GRANT USAGE, CREATE ON SCHEMA {name} TO {user};"),
    (
        r"permission denied for (?:table|relation) (.+)",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {schema}.{name} TO {user};",
    ),
    (r"permission denied for sequence (.+)", "GRANT USAGE ON SEQUENCE {schema}.{name} TO {user};"),
    (
        r'create temporary tables in database "(.+)"',
        "GRANT TEMPORARY ON DATABASE {name} TO {user};",
    ),
    # With quotes where the connection was refused, without where a schema was to be created.
    (r'permission denied for database "(.+)"', "GRANT CONNECT ON DATABASE {name} TO {user};"),
    (r"permission denied for database (.+)", "GRANT CREATE ON DATABASE {name} TO {user};"),
    (r"must be owner of (?:table|relation) (.+)", "ALTER TABLE {schema}.{name} OWNER TO {user};"),
    (
        r'row-level security policy for table "(.+)"',
        "CREATE POLICY {user} ON {schema}.{name} TO {user} USING (true) WITH CHECK (true);",
    ),
)
_ALL = (
    "GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}; "
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user};"
)


def missing_grant(message: str, user: str | None, schema: str | None) -> str:
    """The statement that allows what the server refused with `message` (SQLSTATE 42501).

    `user` was refused, `schema` holds the export's tables; None for what is not known, which the
    reader then fills in. A message that is not known, such as one in another language than English,
    gets all that an export needs.
    """
    names = {"user": _quoted(user, "<user>"), "schema": _quoted(schema, "<schema>")}
    for pattern, statement in _STATEMENTS:
        if found := re.search(pattern, message):
            return statement.format(name=_quoted(found[1], ""), **names)
    return _ALL.format(**names)


def _quoted(name: str | None, unknown: str) -> str:
    return unknown if name is None else sql.Identifier(name).as_string()
