"""An attempt to use PostgreSQL."""

from contextlib import AbstractContextManager

from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.errors import postgres_errors
from batch_exports.destinations.server_attempt import ServerAttempt


class Attempt(ServerAttempt[PostgresDestination]):
    """What its steps find is the server's alone."""

    def errors(self, where: str, user: str) -> AbstractContextManager[None]:
        return postgres_errors(where, user=user, schema=self.destination.name.schema)
