"""Runs handed out to worker processes by Dagster's launcher for Celery.

https://docs.dagster.io/api/libraries/dagster-celery. Celery's broker, where runs wait for a worker,
is Dagster's own database here, as kombu's transport over SQLAlchemy makes it one. That transport is
an experiment of its authors: a deployment takes Redis or RabbitMQ.
"""

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from kombu import Connection
from sqlalchemy.pool import NullPool

_BROKER, _BACKEND = "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"
_QUEUE = "dagster"

SETTINGS: Mapping[str, Any] = {
    "run_launcher": {
        "module": "dagster_celery.launcher",
        "class": "CeleryRunLauncher",
        "config": {"broker": {"env": _BROKER}, "backend": {"env": _BACKEND}},
    }
}
"""What dagster.yaml says more."""


def celery_env(instance: Mapping[str, str]) -> dict[str, str]:
    """The variables by which Celery finds its broker; `instance` are those of Dagster's database.

    Celery reads them by itself, so that no password is an argument of a process.
    """
    host, port, database, user, password = (
        quote(instance[f"DAGSTER_POSTGRES_{name}"], safe="")
        for name in ("HOST", "PORT", "DATABASE", "USER", "PASSWORD")
    )
    url = f"postgresql+psycopg2://{user}:{password}@{host}:{port}/{database}"
    return {_BROKER: f"sqla+{url}", _BACKEND: f"db+{url}"}


def prepare(environment: Mapping[str, str]) -> None:
    """Make the broker's tables and queue, which workers that start at once would both make."""
    options = {"poolclass": NullPool}
    with Connection(environment[_BROKER], transport_options=options) as connection:
        channel = connection.default_channel
        channel.queue_declare(_QUEUE)
        channel.session.close()  # nothing of it stays open


def command(name: str) -> list[str]:
    """Starts a worker that does one run at a time, within its own process."""
    return [
        sys.executable,
        *("-m", "celery", "-A", "dagster_celery.app", "worker", "-n", name),
        *("-Q", _QUEUE, "--pool", "solo", "--prefetch-multiplier", "1", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
