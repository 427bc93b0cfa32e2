"""How a cluster may read and write a bucket: the clause of COPY and UNLOAD that says so.

https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-authorization.html
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from psycopg import sql

from batch_exports.errors import Terminal


@dataclass(frozen=True)
class Role:
    """A role that is associated with the cluster; several, joined by commas, are a chain.

    https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html
    """

    arn: str

    def clause(self) -> sql.Composed:
        return sql.SQL("IAM_ROLE {}").format(_literal("role_arn", self.arn))

    def __str__(self) -> str:
        return f"the role {self.arn}"


@dataclass(frozen=True)
class DefaultRole:
    """The role that the cluster has as its default."""

    def clause(self) -> sql.Composed:
        return sql.Composed([sql.SQL("IAM_ROLE default")])

    def __str__(self) -> str:
        return "the cluster's default role"


@dataclass(frozen=True)
class Keys:
    """An access key, with the session token where it is temporary."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    def clause(self) -> sql.Composed:
        """Its secrets stand in the statement, which is for the server alone: never log it."""
        given = {
            "ACCESS_KEY_ID": self.access_key_id,
            "SECRET_ACCESS_KEY": self.secret_access_key,
            "SESSION_TOKEN": self.session_token,
        }
        return sql.SQL(" ").join(
            sql.SQL("{} {}").format(sql.SQL(name), _literal(name.lower(), value))
            for name, value in given.items()
            if value is not None
        )

    def __str__(self) -> str:
        return "the keys that COPY is given"


@dataclass(frozen=True)
class ConnectionKeys:
    """The keys of a connection, asked for anew each time: those of a role last for an hour."""

    connection: str
    fetch: Callable[[], Keys] = field(repr=False)

    def clause(self) -> sql.Composed:
        """As that of `Keys`; raises what fetching them raises."""
        return self.fetch().clause()

    def __str__(self) -> str:
        return f"the keys of the connection {self.connection}"


Authorization = Role | DefaultRole | Keys | ConnectionKeys


def _literal(what: str, value: str) -> sql.Literal:
    """Raises `Terminal` for what cannot be: Redshift reads a backslash in quotes as an escape,
    and knows no E'...', in which psycopg would write one."""
    if not value or not value.isascii() or not value.isprintable() or set(value) & set("'\\ "):
        raise Terminal(
            f"The {what} that COPY is given is empty, or holds a character that none has.",
            remedy="Correct it; of an environment variable, a line break at its end is a part.",
        )
    return sql.Literal(value)
